"""Whether a scene is looked at as finely as the model learned to look."""

from __future__ import annotations

from geogaze.errors import InvalidRequest
from geogaze.models.bundles import Bundle

_NOTABLE = 2.0
"""From this factor on, a model sees things of another size than it knows."""

_MOST_UPSAMPLING = 4.0


def check_upsampling(bundle: Bundle, asked: float | None, pixel: float, *, force: bool) -> None:
    """Refuse to make up pixels that the scene does not have; each factor of 2 is 4 times the tiles.

    Args:
        bundle: the model.
        asked: the working resolution that was asked for, metres; None for the scene's.
        pixel: the scene's own, metres.
        force: whether it is meant.

    Raises:
        InvalidRequest: more than 4 times finer than the scene, and not forced.
    """
    if asked is None or force or pixel / asked <= _MOST_UPSAMPLING * (1 + 1e-9):
        return
    finest = pixel / _MOST_UPSAMPLING
    raise InvalidRequest(
        f"A GSD of {asked:.3g} m makes {(pixel / asked) ** 2:,.0f} pixels of each of the scene's, "
        f"which are {pixel:.3g} m: nothing new is seen, and the work grows as much. Ask for "
        f"{finest:.3g} m or coarser{_too_coarse(bundle, pixel)}, or insist with --force (over "
        "HTTP: force)."
    )


def _too_coarse(bundle: Bundle, pixel: float) -> str:
    if bundle.gsd is None or pixel <= _MOST_UPSAMPLING * bundle.gsd:
        return ""
    return (
        f", and better for another scene: {bundle.name} learned from {bundle.gsd:.3g} m, and no "
        "resampling brings back what this one does not show"
    )


def resolution_advice(bundle: Bundle, working: float, pixel: float) -> str | None:
    """What to say where the model learned from other pixels; None where they are alike.

    Args:
        bundle: the model; one that does not know its resolution has no advice.
        working: the resolution that the scene is looked at, metres.
        pixel: the scene's own, metres.
    """
    if bundle.gsd is None or bundle.gsd / _NOTABLE < working < bundle.gsd * _NOTABLE:
        return None
    times = max(working / bundle.gsd, bundle.gsd / working)
    seen = (
        f"The scene is looked at with {working:.3g} m per pixel, but {bundle.name} learned from "
        f"{bundle.gsd:.3g} m: things look {times:.3g} times "
        f"{'smaller' if working > bundle.gsd else 'larger'} than it knows them, and its answers "
        "may mean nothing."
    )
    if pixel > _MOST_UPSAMPLING * bundle.gsd:
        return f"{seen} This scene is too coarse for it: use a finer one, or another model."
    return f"{seen} Ask for --gsd {bundle.gsd:.3g}."
