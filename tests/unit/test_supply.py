"""What geogaze is made of, and with what rights it runs, as the files for deployment say it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "infra" / "api.lock").read_text()
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE | re.IGNORECASE)
LOCKED = {canonicalize_name(name): version for name, version in PIN.findall(LOCK)}
TOOLS = {"setuptools"}  # builds geogaze, and is gone from the image
WHAT_FOR = {
    "head_object": "s3:GetObject",
    "get_object": "s3:GetObject",
    "download_file": "s3:GetObject",
    "put_object": "s3:PutObject",
    "upload_file": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "delete_objects": "s3:DeleteObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "list_parts": "s3:ListMultipartUploadParts",
    "list_objects_v2": "s3:ListBucket",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
}
"""Which right each of the calls takes that geogaze makes of a bucket."""


def extras(*names: str) -> set[str]:
    """What extras need, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: set[str] = set()
    for text in [*project["dependencies"], *(one for n in names for one in _extra(project, n))]:
        wanted = Requirement(text)
        if wanted.name == "geogaze":
            found |= extras(*wanted.extras)
        else:
            found.add(canonicalize_name(wanted.name))
    return found


def _extra(project: dict[str, Any], name: str) -> list[str]:
    listed: list[str] = project["optional-dependencies"][name]
    return listed


def test_the_api_is_locked_to_what_was_tested() -> None:
    """'make hashes' writes it anew."""
    tested = dict(PIN.findall((ROOT / "infra" / "constraints.txt").read_text()))
    tested = {canonicalize_name(name): version for name, version in tested.items()}
    assert extras("api", "queue", "traces") - set(LOCKED) == set(), "make hashes"
    assert {n: v for n, v in LOCKED.items() if tested.get(n, v) != v} == {}, "make hashes"
    assert not {"torch", "opencv-python-headless"} & set(LOCKED)
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.partition("\n")[2])
    assert all("--hash=sha256:" in entry for entry in entries if PIN.match(entry))


@pytest.mark.parametrize("image", ["api", "worker"])
def test_no_image_runs_as_root(image: str) -> None:
    last = (ROOT / "infra" / f"{image}.Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["1000:1000"]


def test_containers_have_no_rights_and_write_where_it_is_said() -> None:
    yaml = YAML(typ="safe")
    services = yaml.load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: one for name, one in services.items() if one["image"].startswith("geogaze-")}
    assert set(ours) == {"migrate", "api", "dispatcher", "worker", "worker-gpu"}
    worker = ["/home/geogaze/.cache", "/scratch"]
    copies = ["/scratch"]  # of what the API reads features of
    may_write = {"worker": worker, "worker-gpu": worker, "api": copies}
    for name, service in ours.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        writes = [v.split(":")[1] for v in service.get("volumes", []) if not v.endswith(":ro")]
        assert writes == may_write.get(name, []), name


def test_the_policy_of_the_bucket_gives_what_is_used_and_no_more() -> None:
    policy = json.loads((ROOT / "infra" / "bucket-policy.json").read_text())
    given: dict[str, set[str]] = {}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            given.setdefault(action, set()).add(statement["Resource"])
    assert not [action for action in given if "*" in action]
    code = "".join(path.read_text() for path in (ROOT / "geogaze" / "storage").glob("*.py"))
    calls = set(re.findall(r"client\.(?!get_paginator)(\w+)\(", code))
    calls |= set(re.findall(r"get_paginator\(\s*\"(\w+)\"", code))
    assert calls - {"generate_presigned_url"} == set(WHAT_FOR)
    assert set(given) == set(WHAT_FOR.values())
    objects = "arn:aws:s3:::geogaze/*"
    for action, resources in given.items():
        about = {"arn:aws:s3:::geogaze"} if action.startswith("s3:ListBucket") else {objects}
        assert resources - {"arn:aws:s3:::imagery/*"} == about, action
    assert given["s3:GetObject"] == {objects, "arn:aws:s3:::imagery/*"}


def test_what_the_threat_model_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/.]+)`", text) + re.findall(r"\]\((docs/[^)#]+)", text)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
    made = (ROOT / "Makefile").read_text()
    assert [t for t in re.findall(r"`make (\w+)`", text) if f"\n{t}:" not in made] == []


def test_each_exception_from_the_rules_of_security_has_a_reason() -> None:
    exception = re.compile(r"# noqa: S\d{3}(.*)")
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("api", "geogaze", "infra", "migrations", "worker")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := exception.search(line)) and not re.match(r"  \w", found[1])
    ]
    assert bare == []
