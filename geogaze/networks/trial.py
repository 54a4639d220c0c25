"""A network, run once before it is let in: what it answers to two images, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from geogaze.errors import GeogazeError, InvalidBundle, UnsupportedArchitecture
from geogaze.models.bundles import Bundle
from geogaze.networks.logits import logits_of
from geogaze.networks.registration import Registration

IMAGES = 2
_SEED = 0
_COARSE = 8  # pixels of the pattern that trial images show
_FINE = 0.3  # of the noise in them
_ROUNDING = 1e-5  # of the scores themselves
_AGREES = 1e-4  # of what scores differ by: float32 rounds in another order in another batch


class Found(Protocol):
    """What of a trial goes into the bundle, see :class:`geogaze.evidence.findings.Admitted`."""

    @property
    def stripped(self) -> str | None:
        """The module that made probabilities of logits and was taken off."""

    @property
    def half(self) -> bool:
        """Whether half precision changes nothing that shows."""

    @property
    def registration(self) -> Registration:
        """Where its layer looks."""


SelfTest = Callable[[nn.Module, tuple[str, ...]], tuple[Found, Callable[[Bundle], None]]]
"""Of a network with these classes: what is found, and a check of the bundle as stored. Both refuse
by raising.
"""


def trial_images(bands: int, size: int) -> Tensor:
    """Two images (2, bands, size, size) as a network takes them: patterns, and noise in them."""
    generator = torch.Generator().manual_seed(_SEED)
    coarse = torch.randn(IMAGES, bands, _COARSE, _COARSE, generator=generator)
    fine = torch.randn(IMAGES, bands, size, size, generator=generator)
    return F.interpolate(coarse, (size, size), mode="bilinear") + _FINE * fine


def check_weights(model: nn.Module) -> None:
    """See that each weight is a number.

    Raises:
        InvalidBundle: some are not.
    """
    broken = [
        name
        for name, value in model.state_dict().items()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    if broken:
        more = f" and {len(broken) - 1:,} more" if len(broken) > 1 else ""
        raise InvalidBundle(
            f"The weights hold values that are no numbers (in {broken[0]}{more}): take a "
            "checkpoint from before training went astray."
        )


def try_out(model: nn.Module, images: Tensor, classes: int) -> Tensor:
    """A network's logits (B, classes) of images.

    Args:
        model: in evaluation mode.
        images: from :func:`trial_images`.
        classes: how many names there are.

    Raises:
        UnsupportedArchitecture: it does not take the images, gives no logits or other than so many,
            logits that are no numbers, or others the second time or in another batch.
    """
    with torch.no_grad(), _Dropping() as dropping:
        logits = logits_of(run_on(model, images), len(images))
    if logits.shape[1] != classes:
        raise UnsupportedArchitecture(
            f"The network gives {logits.shape[1]} logits, but there are {classes} class names: "
            "give --classes a file with one name for each, in their order."
        )
    if not bool(logits.isfinite().all()):
        raise UnsupportedArchitecture(
            "The network's scores of an ordinary image are no numbers: check that the weights are "
            "whole, and --mean and --std those of training."
        )
    with torch.no_grad():
        again, alone = (logits_of(model(some), len(some)).float() for some in (images, images[:1]))
    if not agree(again, logits):
        why = ": dropout stays active in evaluation" if dropping.found else ""
        raise UnsupportedArchitecture(
            f"The network gives other scores each time for the same image{why}. Let it do nothing "
            "at random in eval(), such as F.dropout(x, training=self.training)."
        )
    if not agree(alone, logits[:1]):
        raise UnsupportedArchitecture(
            "The network gives an image other scores when another image is in the batch: let its "
            "normalisation keep running statistics (track_running_stats=True), or use another."
        )
    return logits.float()


def agree(found: Tensor, wanted: Tensor, share: float = _AGREES) -> bool:
    """Whether scores (B, K) are off by no more than a share of what an image's differ by.

    Of one logit, of how large it is.
    """
    if found.shape != wanted.shape:
        return False
    spread = wanted - wanted.mean(dim=1, keepdim=True) if wanted.shape[1] > 1 else wanted
    most = share * spread.abs().max() + _ROUNDING * wanted.abs().max()
    return bool((found - wanted).abs().max() <= most)


def run_on(model: nn.Module, images: Tensor) -> Any:
    """Whatever a network gives for images (B, bands, T, T).

    Raises:
        UnsupportedArchitecture: it does not take them; names the module that failed.
    """
    with _entered(model) as inside:
        try:
            return model(images)
        except GeogazeError:
            raise
        except Exception as error:  # whatever is in a forward of somebody's own
            raise UnsupportedArchitecture(_why_not(model, images, inside, error)) from error


def _why_not(model: nn.Module, images: Tensor, inside: list[str], error: Exception) -> str:
    bands, size = images.shape[1], images.shape[-1]
    name = inside[-1] if inside else ""
    failed = dict(model.named_modules())[name]
    wanted = getattr(failed, "in_channels", None)
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if failed is first and wanted not in {None, bands}:
        return (
            f"The network's first layer takes {wanted} band(s), not {bands}: give --bands, --mean "
            f"and --std with {wanted} value(s) each."
        )
    where = f"its module {name!r}" if name else f"the forward of {type(model).__name__}"
    return (
        f"The network does not take images of {bands} band(s) and {size} × {size} pixels: {where} "
        f"fails with {type(error).__name__}. Give the --input-size and the --bands that it was "
        "trained with."
    )


@contextmanager
def _entered(model: nn.Module) -> Iterator[list[str]]:
    """Names of the modules that run just now, outermost first."""
    running: list[str] = []

    def enter(name: str) -> Any:
        return lambda module, inputs: running.append(name)

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    handles = [
        handle
        for name, module in model.named_modules()
        for handle in (
            module.register_forward_pre_hook(enter(name)),
            module.register_forward_hook(leave),
        )
    ]
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()


class _Dropping(TorchFunctionMode):
    """Notes whether anything is dropped out."""

    found = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        if "dropout" in getattr(func, "__name__", ""):
            rest = dict(zip(("input", "p", "training"), args, strict=False)) | options
            self.found |= bool(rest.get("training", True)) and rest.get("p", 0.5) != 0
        return func(*args, **options)
