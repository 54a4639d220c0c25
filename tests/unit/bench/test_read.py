"""``bench read``: the same windows by each decoder, and what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from geogaze.bench.read import bench_read
from geogaze.cli.app import app
from geogaze.config import Settings
from geogaze.processes.explain.request import ExplainRequest
from geogaze.scene.decoders import gdal_decoder, ranged_decoder
from tests.factories import make_scene
from tests.hosts import Host


def test_both_decoders_read_a_remote_scene_and_requests_are_counted(
    host: Host, bundle_folder: Path
) -> None:
    make_scene(host.folder / "port.tif", 300, 400)
    # One lane: GDAL may hold Python up while it asks a host that lives in this very process.
    request = ExplainRequest(scene=host.uri("port.tif"), model=str(bundle_folder))
    found = bench_read(request, Settings(chunk_tiles=16, lanes=1))
    assert found["chosen"] == ranged_decoder()
    assert set(found["decoders"]) == {ranged_decoder(), gdal_decoder()}
    assert found["units"] > 1
    for figures in found["decoders"].values():
        assert figures["megapixels_per_s"] * figures["seconds"] >= 300 * 400 / 1e6
    asked = len(host.asked)
    again = bench_read(request, Settings(chunk_tiles=16, lanes=1, decoder="gdal"))
    others = len(host.asked) - asked + 1  # planning asked for the header once more, before
    assert list(again["decoders"]) == [gdal_decoder()]
    looks, counts = 2 * found["units"], {k: v["requests"] for k, v in found["decoders"].items()}
    assert counts[ranged_decoder()] == asked - others - looks
    assert counts[gdal_decoder()] == again["decoders"][gdal_decoder()]["requests"]
    assert 0 < others - 1 - looks - counts[gdal_decoder()] < 9, "what planning asks for"


def test_of_a_file_there_is_one_decoder(scene: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "read", str(scene), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output.splitlines()[-1])
    assert list(found["decoders"]) == [found["chosen"]] == [gdal_decoder()]
    assert found["decoders"][gdal_decoder()]["requests"] == 0
