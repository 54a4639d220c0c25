"""Class evidence for every class of a batch from one pass through the network.

The network is cut at the target layer. What lies before runs once, without gradients; only what
lies behind is differentiated, along one of these routes:

- ``channel-shift``: the head is known from its modules and takes maps, see
  :mod:`geogaze.evidence.heads`;
- ``class-token``: the same for transformers that classify by a class token, see
  :mod:`geogaze.evidence.class_token`;
- ``head-vjp``: batched vector-Jacobian products through the head, for any head and for methods
  that need the gradient at every position;
- ``graph``: the same on the autograd graph behind a layer inside the network, which is caught by
  a hook, for layers that a network cannot be cut at.

Methods per pixel (:mod:`geogaze.evidence.pixels`) report ``pixels``. All are exact.
What is exact along none is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from geogaze.doors import resolve
from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.attention.method import AttentionMethod
from geogaze.evidence.cams.cam import find_cam
from geogaze.evidence.class_token import ClassTokenShift
from geogaze.evidence.gradients import score_gradients
from geogaze.evidence.heads import ShiftHead, recognise
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target
from geogaze.networks.captured import Captured
from geogaze.networks.class_token import ClassTokenHead
from geogaze.networks.layouts import AsMaps, Tokens, maps
from geogaze.networks.logits import logits_of
from geogaze.networks.regions import Labels
from geogaze.networks.split import Split

Route = Literal["channel-shift", "class-token", "head-vjp", "graph", "pixels"]
_SHIFT_HEADS: WeakKeyDictionary[Split, ShiftHead | ClassTokenShift | None] = WeakKeyDictionary()


@dataclass(frozen=True)
class Evidence:
    """What a network says of a batch, and why.

    ``logits`` (B, classes) float32; ``evidence`` (B, K, g, g) float32, signed, in logits: on a
    network that pools globally and ends in one linear layer, its spatial mean is the class's logit
    less its bias. ``route`` is how the gradient was had. ``shares`` (B, classes) are of the pixels
    that each class is predicted on, where the network labels those and says so of any.

    ``nowhere`` (B, K) is what tokens that lie on no place, such as registers, give to the score:
    gradient times activation, in logits. Along ``class-token`` the class token's own residual,
    which passes by the layer, is part of it. A score that is linear behind the layer is its bias,
    the map's mean and this. None without such tokens, and for methods other than Grad-CAM.
    """

    logits: Tensor
    evidence: Tensor
    route: Route
    shares: Tensor | None = None
    nowhere: Tensor | None = None


def explain(
    cut: Split | Captured,
    images: Tensor,
    targets: Sequence[Target] | None,
    method: str = "gradcam",
) -> Evidence:
    """Signed class evidence, exact: for Grad-CAM Σ_k (Σ_ij ∂y/∂A_kij) · A_k for activations A.

    This is Grad-CAM without its ReLU, scaled by the number of activations, which makes maps of
    different grid sizes comparable.

    Args:
        cut: the network; its parameters need no gradients.
        images: (B, bands, T, T) float32, normalised, on the network's device.
        targets: K scores, or None for each image's own best class (K = 1).
        method: a class activation map of :data:`geogaze.models.methods.METHODS`.

    Raises:
        UnsupportedArchitecture: the layer gives no maps, or the logits do not depend on it.
    """
    if METHODS[method].of_attention:
        return explain_attention(cut, images, targets, method)
    if isinstance(cut, Split):
        with torch.no_grad():
            activations = cut.trunk(images)
        return explain_activations(cut, activations, targets, method)
    activations, output = cut.answer(images)
    return _differentiated(activations, output, targets, method, cut.as_maps, "graph")


def explain_attention(
    cut: Split | Captured, images: Tensor, targets: Sequence[Target] | None, method: str
) -> Evidence:
    """As :func:`explain`, by a method of the attention in all blocks.

    Raises:
        UnsupportedArchitecture: the network does not classify by a class token, or is not known to.
    """
    how = METHODS[method]
    if not isinstance(cut, Split) or cut.blocks is None:
        raise UnsupportedArchitecture(
            f"{how.title} is of the attention of a class token in blocks that are known, as "
            "torchvision's and timm's ViT have them; this network has none: use gradcam."
        )
    explained: AttentionMethod = resolve(how.implementation)
    return Evidence(*explained.explain(cut.blocks, cut.as_maps, images, targets), "class-token")


def explain_activations(
    cut: Split, activations: Tensor, targets: Sequence[Target] | None, method: str = "gradcam"
) -> Evidence:
    """As :func:`explain`, from the trunk's activations on, as the head takes them."""
    head = _shift_head(cut)
    if isinstance(head, ClassTokenShift):
        if method == "gradcam":
            logits, evidence, nowhere = head.explain(activations, targets)
            return Evidence(logits, evidence, "class-token", nowhere=nowhere)
    elif head is not None and (method == "gradcam" or head.uniform):
        return Evidence(*head.explain(activations, targets, method), "channel-shift")
    activations = activations.detach().requires_grad_()
    with torch.enable_grad():
        # A clone, as a head may work in place.
        output = cut.head(activations.clone())
    return _differentiated(activations, output, targets, method, cut.as_maps, "head-vjp")


def _shift_head(cut: Split) -> ShiftHead | ClassTokenShift | None:
    """The head's closed form, looked for once."""
    if cut not in _SHIFT_HEADS:
        if isinstance(cut.head, ClassTokenHead):
            assert isinstance(cut.as_maps, Tokens), "a class token is one of them"
            _SHIFT_HEADS[cut] = ClassTokenShift(cut.head, cut.as_maps)
        else:
            _SHIFT_HEADS[cut] = recognise(cut.head) if cut.as_maps is maps else None
    return _SHIFT_HEADS[cut]


def _differentiated(
    activations: Tensor,
    output: Any,
    targets: Sequence[Target] | None,
    method: str,
    as_maps: AsMaps,
    route: Route,
) -> Evidence:
    logits = logits_of(output, len(activations))
    shares = output.shares if isinstance(output, Labels) else None
    evidence, nowhere = [], []
    prefix = as_maps.prefix if isinstance(as_maps, Tokens) and method == "gradcam" else 0
    with torch.no_grad():
        seen = as_maps(activations)
    for found in score_gradients(logits, activations, targets, ranked=shares):
        with torch.no_grad():
            gradients = found
            if as_maps is not maps:
                gradients = as_maps(found.flatten(0, 1)).unflatten(0, found.shape[:2])
                if found.any() and not gradients.any():
                    raise UnsupportedArchitecture(
                        "The scores depend on no place of the target layer, only on tokens that "
                        "are nowhere, such as the class token: name a layer before the last "
                        "attention."
                    )
            evidence.append(find_cam(method).positional(gradients, seen))
            if prefix:
                beside = found[:, :, :prefix] * activations[:, :prefix]
                nowhere.append(beside.flatten(2).sum(dim=2).T)
    told = torch.cat(nowhere, dim=1) if prefix else None
    return Evidence(logits.detach(), torch.cat(evidence, dim=1), route, shares, told)
