"""The network of ``tests.benchmarks.ledger`` is found by a stack's workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geogaze.models.registry import find_bundle
from geogaze.networks.loading import load_model
from tests.benchmarks.null import NullNetwork, offer_null


def test_it_is_offered_as_an_installed_package_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, *_ = offer_null(tmp_path)["PYTHONPATH"].split(os.pathsep)
    monkeypatch.syspath_prepend(site)
    bundle = find_bundle("null", [tmp_path / "models"])
    assert isinstance(load_model(bundle), NullNetwork)
    assert (bundle.input_size, bundle.cells) == (8, 1)
