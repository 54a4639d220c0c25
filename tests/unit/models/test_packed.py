"""Bundles as one file: what is sent comes out again, and nothing else is taken."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from geogaze.errors import InvalidBundle
from geogaze.models.bundles import EVALUATION_FILE, WEIGHTS_FILE
from geogaze.models.packed import check_packed, pack, unpack
from tests.unit.models.test_registered import save, weights_of


def tar(**files: Any) -> io.BytesIO:
    """A tar of files by name, of which bytes are contents, and others members."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    made.seek(0)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "tiny")


@pytest.fixture
def parts(folder: Path) -> dict[str, Any]:
    return {name: (folder / name).read_bytes() for name in ("item.json", WEIGHTS_FILE)}


def test_what_is_packed_comes_out_and_nothing_besides(folder: Path, tmp_path: Path) -> None:
    (folder / EVALUATION_FILE).write_text("{}")
    (folder / "notes.pkl").write_bytes(b"\x80\x04")
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    pack(folder, first)
    pack(folder, second)
    assert first.read_bytes() == second.read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    with first.open("rb") as file:
        check_packed(file)
    with first.open("rb") as file:
        unpack(file, out)
    came = {path.name: path.read_bytes() for path in out.iterdir()}
    assert came == {name: (folder / name).read_bytes() for name in came}
    assert set(came) == {"item.json", WEIGHTS_FILE, EVALUATION_FILE}


def test_a_graph_stays_behind_and_is_not_described(folder: Path, tmp_path: Path) -> None:
    item = json.loads((folder / "item.json").read_text())
    item["assets"]["graph"] = {"geogaze:sha256": "0" * 64}
    (folder / "item.json").write_text(json.dumps(item))
    (folder / "model.onnx").write_bytes(b"graph")
    with pytest.raises(InvalidBundle, match="describes a graph"):
        check_packed(tar(**{n: (folder / n).read_bytes() for n in ("item.json", WEIGHTS_FILE)}))
    pack(folder, tmp_path / "packed.tar")
    with (tmp_path / "packed.tar").open("rb") as file:
        check_packed(file)
    with tarfile.open(tmp_path / "packed.tar") as archive:
        assert archive.getnames() == ["item.json", WEIGHTS_FILE]


def test_a_folder_above_and_other_files_do_no_harm(parts: dict[str, Any], tmp_path: Path) -> None:
    above = {f"mine/../../{name}": content for name, content in parts.items()}
    packed = tar(**above, **{"/etc/evil": b"x", "evil.pkl": b"\x80\x04", "link": (b"2", "/etc")})
    check_packed(packed)
    packed.seek(0)
    (tmp_path / "in" / "out").mkdir(parents=True)
    unpack(packed, tmp_path / "in" / "out")
    found = [str(p.relative_to(tmp_path / "in")) for p in (tmp_path / "in").rglob("*.*")]
    assert sorted(found) == ["out/item.json", f"out/{WEIGHTS_FILE}"]


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 12}


def _sparse(parts: dict[str, Any]) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.pax_headers = {**SPARSE, "GNU.sparse.name": name} if name == WEIGHTS_FILE else {}
            member.size = len(content)
            archive.addfile(member, io.BytesIO(b"0\n".ljust(512, b"\0") + content))
    made.seek(0)
    return made


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda parts: io.BytesIO(b"no tar at all" * 100), "cannot be read as a .tar"),
        (lambda parts: io.BytesIO(b""), "cannot be read as a .tar"),
        (lambda parts: tar(), "no item.json and no model.safetensors"),
        (lambda parts: tar(**{"item.json": parts["item.json"]}), "no model.safetensors"),
        (lambda parts: tar(**parts, **{f"b/{WEIGHTS_FILE}": b""}), "twice"),
        (lambda parts: tar(**{**parts, WEIGHTS_FILE: (b"2", "/etc/passwd")}), "no plain file"),
        (lambda parts: tar(**{**parts, WEIGHTS_FILE: (b"1", "item.json")}), "no plain file"),
        (lambda parts: tar(**{**parts, "item.json": (b"5", "")}), "no plain file"),
        (lambda parts: tar(**{**parts, "item.json": b"{}"}), "does not describe a bundle"),
        (lambda parts: tar(**{**parts, "item.json": b" " * (16 * 2**20 + 1)}), "are taken"),
        (lambda parts: tar(**{**parts, WEIGHTS_FILE: b"\x80\x04" + bytes(90)}), "no safetensors"),
        (lambda parts: tar(**{**parts, WEIGHTS_FILE: weights_of(2)}), "item.json says"),
        (lambda parts: io.BytesIO(tar(**parts).getvalue()[:-11000]), "cannot be read|no model"),
        (_sparse, "plain file|cannot be read"),
    ],
)
def test_what_is_no_bundle_is_refused(parts: dict[str, Any], make: Any, says: str) -> None:
    with pytest.raises(InvalidBundle, match=says):
        check_packed(make(parts))


def test_a_header_is_not_read_beyond_its_file(parts: dict[str, Any]) -> None:
    """Eight bytes may say any length; none of it is reserved."""
    wrong = (2**40).to_bytes(8, "little") + weights_of(1)[8:]
    item = parts["item.json"].decode()
    was, now = (hashlib.sha256(data).hexdigest() for data in (weights_of(1), wrong))
    packed = tar(**{"item.json": item.replace(was, now).encode(), WEIGHTS_FILE: wrong})
    with pytest.raises(InvalidBundle, match="its header has no length"):
        check_packed(packed)
