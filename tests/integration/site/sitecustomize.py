"""What a test has happen inside worker processes, so that the product needs no seam for it.

Only where ``GEOGAZE_STAGE`` names a folder. In it ``start`` holds the seconds that the start of a
process of the pool takes; while ``sick`` is there every batch fails as on a broken GPU; while
``held`` is there units wait for it to go, as in a read that does not return.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any


def _install(stage: Path) -> None:
    if (stage / "start").exists():
        time.sleep(float((stage / "start").read_text()))
    from geogaze.evidence import batches
    from geogaze.runner import phases, work

    launch, perform = batches.Batches._launch, phases.perform

    def sick(*args: Any) -> Any:
        if (stage / "sick").exists():
            with (stage / "failed").open("a") as log:
                log.write(f"{os.getpid()}\n")
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return launch(*args)

    def held(*args: Any) -> Any:
        if (stage / "held").exists():
            with (stage / "waiting").open("a") as log:
                log.write(f"{os.getpid()}\n")
            while (stage / "held").exists():
                time.sleep(0.05)
        return perform(*args)

    batches.Batches._launch = sick
    work.perform = held


# In the pool's children alone: their parents do no units.
if "GEOGAZE_STAGE" in os.environ and any("spawn_main" in word for word in sys.orig_argv):
    _install(Path(os.environ["GEOGAZE_STAGE"]))
