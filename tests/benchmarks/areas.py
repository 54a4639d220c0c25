"""What does a square kilometre cost, and how much energy, by model and pixels on the ground?

A job of each model on a drawn scene, all 21 classes, overlap 0.5, no overlays, on this CPU; the
network is loaded before. Seconds of the worker per tile, products included, are measured; tiles to
the square kilometre are geometry. Energy is read by RAPL where this user may, else it is the
stated watts of a core times the cores' seconds, and the heading says so.
Run: ``python -m tests.benchmarks.areas [--price 0.04] [--watts 5]``
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from geogaze.logs import configure_logging
from geogaze.models.registry import DEFAULT_MODEL
from tests.benchmarks.bills import Bench, Kind

MODELS = (DEFAULT_MODEL, "resnet18", "resnet50", "vgg16")
METRES = (0.1, 0.3, 0.5, 1.0, 3.0)
_INPUT = 224  # pixels of a side, of all of them
_OVERLAP = 0.5
_SIZES = {DEFAULT_MODEL: 5120, "resnet18": 4096}
_RAPL = Path("/sys/class/powercap")


def joules() -> float | None:
    """What all processors have taken since some time; None where it cannot be read."""
    try:
        counters = sorted(_RAPL.glob("intel-rapl:[0-9]/energy_uj"))
        return sum(int(path.read_text()) for path in counters) / 1e6 if counters else None
    except OSError:
        return None


def tiles_of(metres: float) -> float:
    """Tiles to the square kilometre, borders apart."""
    return 1e6 / (_INPUT * (1 - _OVERLAP) * metres) ** 2


def main() -> None:
    """Print both tables as one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--watts", type=float, default=5.0, help="of a core at work")
    asked = parser.parse_args()
    configure_logging("error", "console")
    read = joules() is not None
    print(f"Energy: {'RAPL, all of the machine' if read else f'{asked.watts:g} W a core, stated'}.")
    print(f"| model | tiles/s | {' | '.join(f'{metres:g} m' for metres in METRES)} |")
    print(f"| --- | --- | {' | '.join('---' for _ in METRES)} |")
    with tempfile.TemporaryDirectory(prefix="geogaze-areas-") as folder:
        bench = Bench(Path(folder))
        for model in MODELS:
            small = Kind(model, model, size=512)
            bench.run(small)
            before = joules()
            quote, status = bench.run(replace(small, size=_SIZES.get(model, 2560)))
            after = joules()
            bill = bench.bill(status)
            energy = bill.core_hours * 3600 * asked.watts
            if before is not None and after is not None:
                energy = after - before
            cells = [
                f"{tiles * bill.core_hours * asked.price / quote.tiles:.2g} · "
                f"{tiles * energy / quote.tiles:,.3g}"
                for tiles in map(tiles_of, METRES)
            ]
            speed = quote.tiles / bill.worker_seconds
            print(f"| {model} | {speed:.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
