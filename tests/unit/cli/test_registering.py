"""``geogaze models add``, ``alias`` and ``remove``, and the names that other commands take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import update
from sqlalchemy.orm import Session

from geogaze.config import Settings, get_settings
from geogaze.ledger.database import connect
from geogaze.ledger.states import JobState
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Job
from geogaze.models.item import read_bundle
from geogaze.models.registered import Registry
from tests.factories import make_bundle, make_values
from tests.unit.cli.conftest import Geogaze
from tests.unit.ledger.suite import submission


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOGAZE_MODEL_REGISTRY", str(tmp_path / "registry"))
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with other weights than ``tiny`` has."""
    return make_bundle(tmp_path_factory.mktemp("other") / "ours", seed=5)


def test_from_a_bundle_to_a_job_by_alias(
    geogaze: Geogaze, bundle_folder: Path, other_bundle: Path, tmp_path: Path
) -> None:
    taken = geogaze("models", "add", bundle_folder)
    assert (taken.code, "give --name" in taken.err) == (2, True)
    first = geogaze("models", "add", bundle_folder, "--name", "aerial", "--alias", "production")
    assert first.code == 0, first.err
    assert "aerial@1 is registered, and aerial@production" in first.out
    second = geogaze("models", "add", other_bundle, "--name", "aerial", "--json").last
    assert second["version"] == "2"
    again = geogaze("models", "add", other_bundle, "--name", "aerial", "--json").last
    assert again == second
    clash = geogaze("models", "add", other_bundle, "--name", "aerial", "--version", "1")
    assert (clash.code, "Versions never change" in clash.err) == (2, True)

    listed = {model["name"]: model for model in geogaze("models", "list", "--json").last}
    assert [one["version"] for one in listed["aerial"]["versions"]] == ["1", "2"]
    assert listed["aerial"]["aliases"] == {"production": "1"}
    assert (listed["aerial"]["version"], listed["aerial"]["sha256"]) == ("2", second["sha256"])
    shown = geogaze("models", "show", "aerial@production", "--json").last
    assert (shown["name"], shown["version"]) == ("aerial@1", "1")
    assert shown["weights"] == read_bundle(bundle_folder).weights
    assert shown["versions"] == listed["aerial"]["versions"]
    for words in (("list",), ("show", "aerial")):
        out = geogaze("models", *words).out
        assert "aerial@1" in out
        assert "production" in out
    verified = geogaze("models", "verify", "--json").last
    assert {"tiny", "aerial@1", "aerial@2"} <= set(verified)
    assert [one["file"] for one in geogaze("models", "verify", "aerial", "--json").last["aerial@2"]]

    photo = tmp_path / "chip.png"
    Image.fromarray(make_values(80, 100).transpose(1, 2, 0)).save(photo)
    for asked, model in (("aerial", "aerial@2"), ("aerial@production", "aerial@1")):
        said = geogaze("image", photo, "--model", asked, "--json", "--out", f"{model}.png")
        assert said.last["model"] == model, said.err
    moved = geogaze("models", "alias", "aerial@2", "production")
    assert "aerial@production is aerial@2" in moved.out
    said = geogaze("image", photo, "--model", "aerial@production", "--json", "--out", "moved.png")
    assert said.last["model"] == "aerial@2"


def test_what_is_wrong_with_a_bundle_is_told_and_nothing_is_kept(
    geogaze: Geogaze, bundle_folder: Path, tmp_path: Path
) -> None:
    wrong = Path(shutil.copytree(bundle_folder, tmp_path / "wrong"))
    item = json.loads((wrong / "item.json").read_text())
    item["properties"]["geogaze:stride"] = 16
    (wrong / "item.json").write_text(json.dumps(item))
    done = geogaze("models", "add", wrong)
    assert (done.code, "Import its weights anew" in done.err) == (2, True)
    assert geogaze("models", "add", tmp_path).code == 2
    assert geogaze("models", "add", bundle_folder, "--name", "a/b").code == 2
    assert not (tmp_path / "registry").exists()


def test_aliases_and_versions_go_again(geogaze: Geogaze, bundle_folder: Path) -> None:
    registry = Registry.of(get_settings())
    registry.add(bundle_folder, "aerial", alias="production")
    for words in (("aerial", "production"), ("aerial@1", "production", "--delete")):
        assert geogaze("models", "alias", *words).code == 2
    held = geogaze("models", "remove", "aerial@1")
    assert (held.code, "aerial@1 is production" in held.err) == (2, True)
    assert geogaze("models", "alias", "aerial", "production", "--delete").code == 0
    assert geogaze("models", "alias", "aerial", "production", "--delete").code == 2
    assert geogaze("models", "remove", "aerial@1", "--json").last == {"removed": ["aerial@1"]}
    assert geogaze("models", "show", "aerial").code == 2
    assert geogaze("models", "remove", "aerial").code == 2
    registry.add(bundle_folder, "aerial", alias="production")
    assert geogaze("models", "remove", "aerial").code == 0, "all of it, with its aliases"
    assert geogaze("models", "show", "aerial@production").code == 2


def test_what_jobs_of_the_service_need_stays(
    geogaze: Geogaze, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    database = connect(url)
    ledger = Ledger(database)
    ledger.create_tables()
    Registry.of(get_settings()).add(bundle_folder, "aerial")
    job, others = (
        ledger.submit(submission(plan={"bundle": {"name": name}})) for name in ("aerial@1", "tiny")
    )
    assert isinstance(others, UUID)
    monkeypatch.setenv("GEOGAZE_DATABASE_URL", url)
    get_settings.cache_clear()
    for model in ("aerial@1", "aerial"):
        done = geogaze("models", "remove", model)
        assert done.code == 2
        assert f"{job} (aerial@1)" in done.err.replace("\n", " ")
        assert str(others) not in done.err
    with Session(database) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(state=JobState.SUCCESSFUL))
    assert geogaze("models", "remove", "aerial@1").code == 0
    database.dispose()


def test_registries_of_ones_own_lie_where_users_data_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GEOGAZE_MODEL_REGISTRY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().registry == str(tmp_path / "geogaze" / "models")
