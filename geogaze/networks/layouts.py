"""How activations lie in a tensor, and how they become maps (B, C, h, w).

What a network hands from its trunk to its head, and what its scores are differentiated by, may be
maps, maps with channels last, or tokens. Evidence is a value for each place, so it is computed on
maps: each layout here is a function from such a tensor to its maps. It only moves values, so that
it takes gradients to maps as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from torch import Tensor

from geogaze.errors import UnsupportedArchitecture

AsMaps = Callable[[Tensor], Tensor]


def maps(activations: Tensor) -> Tensor:
    """Maps (B, C, h, w) as they are: convolutional networks have them."""
    return activations


def channels_last(activations: Tensor) -> Tensor:
    """Maps of activations (B, h, w, C), as Swin transformers have them.

    Raises:
        UnsupportedArchitecture: they are not of this form.
    """
    if activations.ndim != 4:
        raise UnsupportedArchitecture(
            f"Activations {tuple(activations.shape)} are not (images, rows, cols, channels)."
        )
    return activations.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Tokens:
    """Maps of tokens (B, prefix + g · g, C), row by row on a square grid, as vision transformers
    have them. The first ``prefix`` tokens, such as a class token, are nowhere and left out.
    """

    prefix: int = 0

    def __call__(self, activations: Tensor) -> Tensor:
        """Maps (B, C, g, g).

        Raises:
            UnsupportedArchitecture: the tokens are not of this form.
        """
        shape = tuple(activations.shape)
        count = shape[1] - self.prefix if len(shape) == 3 else 0
        side = isqrt(max(count, 0))
        if not side or side * side != count:
            raise UnsupportedArchitecture(
                f"Activations {shape} are not (images, {self.prefix} + rows × rows, channels)."
            )
        places = activations[:, self.prefix :].transpose(1, 2)
        return places.reshape(*places.shape[:2], side, side)
