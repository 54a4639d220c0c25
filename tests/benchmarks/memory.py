"""Peak memory of explaining against plain inference, and whether it stays flat.

python -m tests.benchmarks.memory [ARCH …]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_CLASSES, _BATCH, _ROUNDS = 20, 8, 4
_TILES, _CHUNK = 5_000, 250
_FLAT = "shufflenet_v2_x0_5"

_PEAK = """
import sys
import torch
from geogaze.models.item import read_bundle
from geogaze.evidence.heap import keep_freed_memory
from geogaze.evidence.engine import Engine, EngineOptions
from geogaze.models.targets import own
from pathlib import Path

def peak():  # of this program alone; what getrusage tells includes the parent's at its fork
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

folder, how, classes, batch, rounds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
keep_freed_memory()
engine = Engine(read_bundle(Path(folder)), EngineOptions("cpu"))
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
before = peak()
images = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
for _ in range(rounds):
    if how == "explain":
        engine.explain_batch(images, own(range(classes)))
    else:
        engine.logits(images)
print(peak(), before)
"""


def peak(folder: Path, how: str) -> tuple[int, int]:
    """Peak resident kB of a process that infers or explains, and what it had once loaded."""
    words = [str(folder), how, str(_CLASSES), str(_BATCH), str(_ROUNDS)]
    found = subprocess.run(
        [sys.executable, "-c", _PEAK, *words], check=True, capture_output=True, text=True
    )
    whole, before = found.stdout.split()[-2:]
    return int(whole), int(before)


def main() -> None:
    """Print one line of JSON for each network, then resident memory over many tiles."""
    import numpy as np
    import psutil

    from geogaze.bench.networks import random_bundle
    from geogaze.evidence.engine import Engine, EngineOptions
    from geogaze.evidence.heap import keep_freed_memory
    from geogaze.models.targets import own

    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:] or ["vgg16", "resnet50", "mobilenet_v2", "mobilenet_v3_large"]:
            folder = Path(scratch) / name
            random_bundle(folder, name, _CLASSES)
            infer, explain = peak(folder, "infer"), peak(folder, "explain")
            line = {
                "arch": name,
                "infer_mb": infer[0] // 1024,
                "explain_mb": explain[0] // 1024,
                "ratio": round(explain[0] / infer[0], 3),
                "ratio_beyond_loading": round((explain[0] - explain[1]) / (infer[0] - infer[1]), 3),
            }
            print(json.dumps(line), flush=True)
        keep_freed_memory()
        bundle = random_bundle(Path(scratch) / _FLAT, _FLAT, _CLASSES)
        engine = Engine(bundle, EngineOptions("cpu"))
        rng, size, me = np.random.default_rng(0), 1120, psutil.Process()
        corners = [(row, col) for row in range(0, 897, 64) for col in range(0, 897, 64)][:_CHUNK]
        valid = np.ones((size, size), dtype=bool)
        resident = []
        for _ in range(0, _TILES, len(corners)):
            values = rng.integers(0, 256, (3, size, size), dtype=np.uint8)
            window = engine.prepare(values, valid, ((0.0, 255.0),))
            for _ in engine.explain_tiles(window, corners, own(range(_CLASSES))):
                pass
            resident.append(me.memory_info().rss // 2**20)
        print(json.dumps({"tiles": _TILES, "arch": _FLAT, "resident_mb": resident}))


if __name__ == "__main__":
    main()
