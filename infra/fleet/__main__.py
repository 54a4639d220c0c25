"""How large a fleet, what it costs and who waits how long: tables, and a picture of a day.

Each row is a day of 300 jobs, most of them small, three in four by day; the fleet grows and shrinks
by the rule of ``infra/kubernetes/base/scaling.yaml``, but for its most workers. Run:
``python -m infra.fleet [--machine NAME,TILES_PER_SECOND,PRICE[,START[,LOSSES]]] [--picture FILE]``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from infra.fleet.day import DAY, Day, Load, Machine, Outcome, quantile
from infra.fleet.rule import Rule

# ResNet50, all classes: 46 tiles/s were measured on two cores (docs/benchmarks.md), and twice that
# is supposed of four. GPUs are examples, not measured: put your own in.
CPU = Machine("4 cores", 92, 0.16)
SPOT = Machine("4 cores, spot", 92, 0.05, losses=0.2)
SMALL_GPU = Machine("small GPU", 800, 0.7, start=240)
LARGE_GPU = Machine("large GPU, spot", 4000, 1.6, start=240, losses=0.2)
FLEETS: dict[str, Sequence[Machine]] = {
    "4 cores": [CPU],
    "4 cores, spot": [SPOT],
    "mixed GPUs, half of them spot": [SMALL_GPU, LARGE_GPU],
}
TILES = (1e5, 1e6, 1e7, 1e8, 5e8)
FIXED = (1, 2, 5, 20, 100, 500)
_FIXED_TILES = 1e7
_MOST = 500


def cells_of(outcome: Outcome) -> list[str]:
    """A day as a row: workers, work, waiting, money."""
    return [
        f"{outcome.paid / max(DAY, outcome.series[-1][0]):.1f}",
        f"{outcome.peak}",
        f"{outcome.busy / outcome.paid:.0%}",
        *(_span(quantile(outcome.waits, share)) for share in (0.5, 0.95)),
        *(_span(quantile(outcome.turnarounds, share)) for share in (0.5, 0.95)),
        f"{outcome.lost:,}",
        f"{outcome.cost:,.2f}",
    ]


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


_HEADS = (
    *("workers, mean", "most", "at work", "wait, median", "95 of 100", "to the end, median"),
    *("95 of 100", "done again", "cost"),
)


def _table(first: str, rows: list[list[str]]) -> None:
    heads = [first, *_HEADS]
    for row in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(row)} |")
    print()


def machine_of(text: str) -> Machine:
    """A machine as the option has it."""
    name, *numbers = text.split(",")
    try:
        return Machine(name, *map(float, numbers))
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: NAME,TILES_PER_SECOND,PRICE[,START[,LOSSES]] with numbers"
        ) from error


def draw(outcome: Outcome, rule: Rule, title: str, path: Path) -> None:
    """Backlog and workers over the day."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    hours = [at / 3600 for at, *_ in outcome.series]
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
    above.fill_between(hours, [b / 3600 for _, b, _ in outcome.series], color="#c96f3b", lw=0)
    above.set_ylabel("backlog,\nhours of one worker")
    above.set_title(title, loc="left", fontsize=10)
    wanted = [backlog / rule.target for _, backlog, _ in outcome.series]
    below.plot(hours, wanted, color="#c96f3b", lw=0.8, label=f"backlog / {rule.target:.0f} s")
    workers = [workers for *_, workers in outcome.series]
    below.step(hours, workers, where="post", color="#2b5f8a", lw=1.5, label="workers")
    below.set_ylabel("workers")
    below.set_xlabel("hour of the day")
    below.set_xlim(0, 24)
    below.set_ylim(0, 1.3 * max(workers))
    below.legend(frameon=False, fontsize=9)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks(range(0, 25, 3))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print the tables; draw the picture where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", action="append", type=machine_of, help="a fleet of your own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="where a picture of a day goes")
    asked = parser.parse_args()
    own = {"your own": asked.machine} if asked.machine else None
    rule = Rule.read().model_copy(update={"most": _MOST})
    for name, machines in (own or FLEETS).items():
        kinds = "; ".join(f"{m.name}: {m.tiles:g} tiles/s, {m.price:g} an hour" for m in machines)
        print(f"**By the rule** ({name}: {kinds})\n")
        rows = [
            [f"{tiles:,.0f}", *cells_of(Day(Load(tiles), machines, rule, asked.seed).play())]
            for tiles in TILES
        ]
        _table("tiles a day", rows)
    machines = next(iter((own or FLEETS).values()))
    print(f"**{_FIXED_TILES:,.0f} tiles a day by a fleet that stays** ({machines[0].name})\n")
    load = Load(_FIXED_TILES)
    stays = [
        [f"{fleet}", *cells_of(Day(load, machines, fleet, asked.seed).play())] for fleet in FIXED
    ]
    outcome = Day(load, machines, rule, asked.seed).play()
    _table("workers", [*stays, ["by the rule", *cells_of(outcome)]])
    if asked.picture:
        title = f"{_FIXED_TILES:,.0f} tiles in 300 jobs, {machines[0].name} a worker"
        draw(outcome, rule, title, asked.picture)


if __name__ == "__main__":
    main()
