"""Put each fault of the lists into a copy of the code and see whether its tests notice.

    python -m tests.mutants [--jobs N] [--match TEXT] [area …]

The test that noticed a fault the last time (``.cache/mutants.json``) goes first. Fails where fewer
than nine in ten of an area are noticed, where the lists do not fit the code, and where the tests
fail without any fault.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.mutants.catalogue import Mutant, read, refusals
from tests.mutants.trial import ROOT, Copy, Verdict, Work, load_libraries, run_all, servers

ENOUGH = 0.9
NOTICED = ROOT / ".cache" / "mutants.json"
_NO_SUCH_TEST = 4  # pytest's exit status


def main() -> int:
    """Run what the command line asks for; 0 where all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="area")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--match", default="", help="only faults in paths or lines with this text")
    parser.add_argument("--trust", action="store_true", help="tests without faults passed before")
    parser.add_argument("--check", action="store_true", help="only whether the lists fit the code")
    asked = parser.parse_args()
    mutants = [m for m in read() if not asked.areas or m.area in asked.areas]
    wrong = refusals(mutants, ROOT)
    if not asked.check:
        mutants = [m for m in mutants if asked.match in str(m) and m not in wrong]
        status = _run(mutants, asked.jobs, trusted=asked.trust)
    if wrong:
        print(*wrong.values(), "Faults that do not fit the code: mend tests/mutants.", sep="\n")
    return 2 if wrong else 0 if asked.check else status


def _run(mutants: list[Mutant], jobs: int, *, trusted: bool) -> int:
    start = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # runs and servers are stopped then
    load_libraries()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Copy(_made(Path(folder) / str(n))) for n in range(jobs)]
        with servers(Path(folder), mutants):
            if not trusted and not _pass_without_faults(mutants, copies):
                return 2
            return _judge(mutants, copies, start)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _pass_without_faults(mutants: list[Mutant], copies: list[Copy]) -> bool:
    tests = tuple(sorted({test for mutant in mutants for test in mutant.tests}))
    whole: list[Verdict] = []
    run_all([(None, tests)], copies, lambda _, verdict: whole.append(verdict))
    (verdict,) = whole
    if verdict.status == 0:
        print(f"{len(tests)} files of tests pass without any fault in {verdict.seconds:.0f} s")
    else:
        print(f"Without any fault the tests end with {verdict.status}: {verdict.words}")
    return verdict.status == 0


def _judge(mutants: list[Mutant], copies: list[Copy], start: float) -> int:
    verdicts: dict[Mutant, Verdict] = {}
    noticed_by: dict[str, str] = json.loads(NOTICED.read_text()) if NOTICED.exists() else {}

    def told(mutant: Mutant | None, verdict: Verdict) -> None:
        assert mutant is not None
        if verdict.status == _NO_SUCH_TEST and noticed_by.pop(str(mutant), None):
            again.append(mutant)
            return
        verdicts[mutant] = verdict
        if verdict.test:
            noticed_by[str(mutant)] = verdict.test
        word = "noticed " if verdict.noticed else "SURVIVED"
        print(f"{word} {verdict.seconds:5.1f} s  {mutant}  {verdict.words}", flush=True)

    again = mutants
    while again:
        work: list[Work] = []
        for mutant in again:
            first = noticed_by.get(str(mutant))
            work.append((mutant, (*([first] if first else []), *mutant.tests)))
        again = []
        run_all(work, copies, told)
    NOTICED.parent.mkdir(exist_ok=True)
    NOTICED.write_text(json.dumps(noticed_by, indent=1))
    order = {mutant: verdicts[mutant] for mutant in mutants}
    return report(order, time.monotonic() - start)


def report(verdicts: dict[Mutant, Verdict], seconds: float) -> int:
    """Print the table; 0 where every area has enough."""
    total = Counter(mutant.area for mutant in verdicts)
    noticed = Counter(mutant.area for mutant, verdict in verdicts.items() if verdict.noticed)
    poor = [area for area in total if noticed[area] < ENOUGH * total[area]]
    print(f"\n{'area':12}noticed  of")
    for area in total:
        mark = f"  less than {ENOUGH:.0%}" if area in poor else ""
        print(f"{area:12}{noticed[area]:7d}{total[area]:4d}{mark}")
    print(f"{'all':12}{noticed.total():7d}{total.total():4d}  in {seconds:.0f} s")
    for mutant, verdict in verdicts.items():
        if verdict.status in {4, 5}:
            print(f"No test ran: {mutant}")
        elif not verdict.noticed:
            print(f"Survived: {mutant}\n    {mutant.survives or 'no reason is known'}")
        elif mutant.survives:
            print(f"Noticed, though said to survive: {mutant}")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main())
