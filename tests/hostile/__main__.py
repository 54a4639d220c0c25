"""The hostile corpus, its long form: ``make hostile [MUTATED=20000]``; a table, 1 if any failed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from tests.hostile.mutating import bases
from tests.hostile.rasters import RASTERS
from tests.hostile.watching import Looking, Outcome, looking

_MUCH = 256  # MB that a process may grow by for one file


def named(looker: Looking, room: Path) -> list[str]:
    """Look at each case of the corpus; what is wrong."""
    wrong = []
    print(f"{'raster':48}{'answer':18}{'ms':>7}{'MB':>7}")
    for number, case in enumerate(RASTERS):
        path = room / "uploads" / f"{number}" / case.file
        path.parent.mkdir(parents=True)
        case.make(path)
        outcome = looker.at({"scene": str(path)})
        line = f"{case.name:48}{outcome.answer:18}{outcome.seconds * 1e3:7.0f}{outcome.grown:7.0f}"
        faults = _faults(outcome, path.parent, room)
        if outcome.answer not in case.answers:
            faults.append(f"not {' or '.join(sorted(case.answers))}")
        print(line, *faults)
        wrong += [f"{case.name}: {fault}" for fault in faults]
    return wrong


def mutants(looker: Looking, room: Path, count: int, first: int) -> list[str]:
    """Look at so many mutated rasters; what is wrong."""
    folder = room / "uploads" / "mutated"
    files, wrong = bases(folder), []
    answers: dict[str, Counter[str]] = {base.name: Counter() for base in files}
    slowest = 0.0
    for seed in range(first, first + count):
        base = files[seed % len(files)]
        to = folder / f"mutated{base.suffix}"
        outcome = looker.at({"base": str(base), "seed": seed, "to": str(to)})
        answers[base.name][outcome.answer] += 1
        slowest = max(slowest, outcome.seconds)
        wrong += [f"{base.name}, seed {seed}: {f}" for f in _faults(outcome, folder, room)]
    kinds = sorted({kind for counted in answers.values() for kind in counted})
    print(f"\n{'mutated':16}" + "".join(f"{kind:>18}" for kind in kinds))
    for name, counted in answers.items():
        print(f"{name:16}" + "".join(f"{counted[kind]:18,}" for kind in kinds))
    print(f"{count:,} mutated rasters; the slowest took {slowest:.2f} s of CPU")
    return wrong


def _faults(outcome: Outcome, folder: Path, room: Path) -> list[str]:
    faults = []
    if outcome.answer.startswith(("bug", "crash", "hang")):
        faults.append(f"{outcome.answer} ({outcome.said[:80]})")
    if str(room) in outcome.said.replace(f"{folder}/", ""):
        faults.append("tells a path")
    if outcome.grown > _MUCH:
        faults.append(f"takes {outcome.grown:.0f} MB")
    return faults


def main() -> int:
    """Look at everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=main.__doc__)
    parser.add_argument("--mutated", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="hostile-") as place:
        room = Path(place, "storage")
        with looking(Path(place, "looker"), room) as looker:
            wrong = named(looker, room)
            wrong += mutants(looker, room, chosen.mutated, chosen.seed)
            wrong += [f"{stray}: a file outside scratch" for stray in looker.strays()]
    print("\n".join(wrong) or "no crash, no hang, no file outside scratch, no path told")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
