"""What the figures say, in words, by thresholds that were fixed beforehand. Pure.

The verdict belongs to R: of what a class's logit rises above object-free ground, the share that is
lost when the object is taken out. Shares of evidence and enrichment differ by architecture on
networks without any bias (measured on 76 of them), so they forecast, and do not judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from geogaze.audit.intervals import Figure

LEAST_TILES = 30
LEAST_GROUPS = 5
LEAST_RISE = 1.0  # logits
DROP_OVER_CONTROL = 3.0
OBJECT_ABOVE = 0.85
SURROUNDINGS_BELOW = 0.70
CONTROL_BELOW = 0.15  # of the drop
PROBE_ABOVE = 0.10  # of the rise, that empty ground gains by a cue of the whole picture
FADES_ABOVE = 0.40  # of the rise, that recognised tiles lose by one
WAYS_APART = 0.25  # of R


class Kind(StrEnum):
    """What a network decides on."""

    OBJECT = "object"
    SURROUNDINGS = "surroundings"
    GLOBAL = "global"
    MIXED = "mixed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Grounds:
    """What a verdict rests on.

    Attributes:
        tiles: that show the object and are recognised.
        groups: scenes, or blocks of scenes, that they come from.
        rise: logits that they lie above object-free ground.
        drop: logits that they lose without the object.
        control: logits that they lose by the same edit beside the object.
        lost: R, by ground alike in the object's place.
        lost_filled: R, by the surroundings filled in.
        probes: cue → change of the logit on empty ground, as a share of the rise.
        on_objects: cue → its change on the recognised tiles, likewise.
    """

    tiles: int
    groups: int
    rise: float
    drop: float
    control: float
    lost: Figure
    lost_filled: Figure
    probes: dict[str, float]
    on_objects: dict[str, float]


@dataclass(frozen=True)
class Verdict:
    """A kind, in a sentence, and why."""

    kind: Kind
    words: str
    why: str


def judge(name: str, grounds: Grounds) -> Verdict:
    """The verdict on a class.

    Args:
        name: the class's.
        grounds: what was measured.
    """
    if reason := _too_little(grounds):
        return Verdict(Kind.CANNOT_TELL, f"Whether {name} is the object cannot be told.", reason)
    lost, filled = grounds.lost, grounds.lost_filled
    said = f"Without its object the class loses {lost} of what it rises above ground"
    low, high = lost.low, lost.high
    assert lost.value is not None
    assert low is not None
    assert high is not None
    # All is lost at R = 1: what goes beyond is ground that says less than other ground.
    ways = [min(one, 1.0) for one in (lost.value, filled.value) if one is not None]
    apart = max(ways) - min(ways)
    if high < SURROUNDINGS_BELOW and apart <= WAYS_APART:
        words = f"{name} leans on what surrounds its object."
        return Verdict(Kind.SURROUNDINGS, words, f"{said}: under {SURROUNDINGS_BELOW}.")
    if looks := _looks(grounds):
        return Verdict(Kind.GLOBAL, f"{name} leans on how the whole picture looks.", looks)
    if apart > WAYS_APART:
        why = f"{said}, but {filled} where its surroundings are filled in: two ways disagree."
        return Verdict(Kind.MIXED, _mixed(name), why)
    if grounds.drop < DROP_OVER_CONTROL * grounds.control:
        why = (
            f"Taking the object out costs {grounds.drop:.2f} logits, and the same edit beside it "
            f"{grounds.control:.2f}: it takes {DROP_OVER_CONTROL:g} times as much."
        )
        return Verdict(Kind.CANNOT_TELL, f"Whether {name} is the object cannot be told.", why)
    if low > OBJECT_ABOVE and grounds.control < CONTROL_BELOW * grounds.drop:
        words = f"{name} is decided on the object."
        return Verdict(Kind.OBJECT, words, f"{said}: over {OBJECT_ABOVE}.")
    why = f"{said}: not all of that lies under {SURROUNDINGS_BELOW}, nor over {OBJECT_ABOVE}."
    if low > OBJECT_ABOVE:
        why = (
            f"{said}, but the same edit beside it takes {grounds.control / grounds.drop:.0%} of "
            f"that too (more than {CONTROL_BELOW:.0%})."
        )
    return Verdict(Kind.MIXED, _mixed(name), why)


def _looks(grounds: Grounds) -> str | None:
    """Why a class leans on how the whole picture looks; None where it does not.

    What is added to a logit for how a picture looks is added with and without an object. Where the
    objects gain more than ground, it is they that are seen better: any network sees more in a
    sharper picture. But one that loses most of its object in another look knows it by that look.
    """
    gained = {cue: gain for cue, gain in grounds.probes.items() if gain >= grounds.on_objects[cue]}
    cue, gain = max(gained.items(), key=lambda found: found[1], default=("", 0.0))
    if gain > PROBE_ABOVE:
        return (
            f"Ground without objects, made {cue}, gains {gain:.0%} of what the object does (more "
            f"than {PROBE_ABOVE:.0%}), and the object no more than that "
            f"({grounds.on_objects[cue]:.0%})."
        )
    cue, change = min(grounds.on_objects.items(), key=lambda found: found[1], default=("", 0.0))
    if -change > FADES_ABOVE:
        return (
            f"Tiles with the object, made {cue}, lose {-change:.0%} of what it adds to ground "
            f"(more than {FADES_ABOVE:.0%})."
        )
    return None


def _mixed(name: str) -> str:
    return f"{name} is decided on the object and on its surroundings."


def _too_little(grounds: Grounds) -> str | None:
    """Why nothing can be said; None where something can."""
    if grounds.tiles < LEAST_TILES:
        return f"{grounds.tiles} recognised tiles show the object; it takes {LEAST_TILES}."
    if grounds.groups < LEAST_GROUPS:
        return f"They come from {grounds.groups} scenes or blocks; it takes {LEAST_GROUPS}."
    if grounds.rise < LEAST_RISE or grounds.lost.low is None:
        return (
            f"Tiles with the object lie {grounds.rise:.2f} logits above ground; it takes "
            f"{LEAST_RISE:g}."
        )
    return None
