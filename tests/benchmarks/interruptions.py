"""A run that is interrupted again and again, by Ctrl-C on a terminal of its own.

``python -m tests.benchmarks.interruptions FOLDER`` runs 1,000 tiles undisturbed, then the same at
another place with Ctrl-C at 30, 60 and 90 %, and tells how soon the first word came, how soon the
process was gone, what the device did in all, and whether the products are the same bytes.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sqlite3
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.factories import make_bundle, make_scene

TILES = 1000  # 25 × 40 of 64 pixels, overlapping by half
UNIT = 25  # tiles in a unit, at most
PERCENT = (30, 60, 90)

# Counts what the device does; the rest is ``geogaze`` as installed.
PROGRAM = """
import os, sys
from geogaze.cli import main
from geogaze.evidence.engine import Engine
explain = Engine.explain_tiles
def counted(self, *words):
    for batch in explain(self, *words):
        with open(os.environ["COUNT"], "a") as file:
            file.write("." * len(batch.probabilities))
        yield batch
Engine.explain_tiles = counted
main()
"""


@dataclass
class Ending:
    """What became of one process: its exit code, and seconds after Ctrl-C."""

    code: int
    done: int
    first_word: float = 0.0
    gone: float = 0.0


def explained(out: Path) -> int:
    """Tiles in the ledger of a run that is under way."""
    for path in out.glob(".geogaze-*/ledger.db"):
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
                found = ledger.execute("select tiles_done from phases where phase = 'explain'")
                return max((row[0] for row in found), default=0)
        except sqlite3.OperationalError:
            pass
    return 0


def run(words: list[str], out: Path, count: Path, stop_at: int | None) -> Ending:
    """Run ``geogaze`` on a new terminal; press Ctrl-C once so many tiles are explained."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # shells let background jobs ignore it
        os.environ["COUNT"] = str(count)
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, *words])
    pressed, word, done, shown = 0.0, 0.0, 0, b""
    while True:
        if select.select([terminal], [], [], 0.02)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # it has ended
                break
        now = time.monotonic()
        if pressed and not word and b"Stopping after the batch" in shown:
            word = now
        if stop_at is not None and not pressed and (done := explained(out)) >= stop_at:
            os.write(terminal, b"\x03")
            pressed = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    if code not in {0, 130}:
        print(shown.decode(errors="replace")[-2000:])
    return Ending(code, done, word - pressed, time.monotonic() - pressed)


def products(folder: Path) -> dict[str, bytes]:
    """All files; of the item, all but the job's id and times."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    text = re.sub(
        rb'"[^"]*[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"', b'"ID"', found["item.json"]
    )
    found["item.json"] = re.sub(rb'"\d{4}-\d\d-\d\dT[^"]*"', b'"TIME"', text)
    return found


def main(folder: Path) -> bool:
    """All of it; whether everything was as it should be."""
    folder.mkdir(parents=True)
    scene = make_scene(folder / "scene.tif", 32 * 25, 32 * 40)
    model = make_bundle(folder / "small")
    os.environ |= {"GEOGAZE_CHUNK_TILES": str(UNIT), "GEOGAZE_BATCH_SIZE": "8"}
    words = ["run", str(scene), "--model", str(model), "--out"]
    count = folder / "count"
    whole = run([*words, str(folder / "whole")], folder / "whole", count, None)
    expected = products(folder / "whole")
    print(json.dumps({"undisturbed": vars(whole), "device tiles": count.stat().st_size}))
    good, before, out = whole.code == 0, 0, folder / "out"
    count.unlink()
    for percent in (*PERCENT, None):
        stop_at = None if percent is None else TILES * percent // 100
        ending = run([*words, str(out)], out, count, stop_at)
        device, kept = count.stat().st_size, explained(out) if percent else TILES
        print(json.dumps({"at": percent, **vars(ending), "kept": kept, "device": device - before}))
        before = device
        good &= ending.code == (0 if percent is None else 130) and ending.first_word < 1
    twice = count.stat().st_size - TILES
    same = products(out) == expected
    print(json.dumps({"files": len(expected), "same bytes": same, "tiles done twice": twice}))
    return good and same and twice <= UNIT * len(PERCENT)


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1])) else 1)
