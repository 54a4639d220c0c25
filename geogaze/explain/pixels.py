"""Attribution at the resolution of the pixels: what a score changes by, pixel by pixel.

Five methods, computed by captum (Kokhlikar et al. 2020, arXiv:2009.07896). Unlike class activation
maps they need the gradient of the whole network, so one pass over a batch holds all of its
activations in memory.

Deconvolution and guided backpropagation replace what ReLU does in the backward pass. captum does so
for nn.ReLU modules alone: it passes functional calls by without a word, takes a module that serves
parallel branches for one place, and rectifies too much where the input of a ReLU is used elsewhere
as well. Therefore the network is first rewritten, exactly, so that each use of ReLU is a module of
its own with an input of its own; what has other nonlinearities is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    GuidedGradCam,
    IntegratedGradients,
    Saliency,
)
from torch import Tensor, fx, nn

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.models.targets import Target
from geogaze.networks.split import Split

STEPS = 50
"""Points of the Gauss-Legendre quadrature of integrated gradients."""

# What a rewritten network may do beside ReLU: affine in evaluation, or a choice among inputs.
_MODULES = (
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.Conv2d,
    nn.Dropout,
    nn.Flatten,
    nn.Identity,
    nn.Linear,
    nn.MaxPool2d,
)
_FUNCTIONS = frozenset(
    {"adaptive_avg_pool2d", "add", "avg_pool2d", "cat", "dropout", "max_pool2d", "mean", "sub"}
    | {"chunk", "contiguous", "flatten", "getitem", "permute", "reshape", "split", "squeeze"}
    | {"transpose", "unsqueeze", "view"}
    | {"floordiv", "getattr", "size"}  # of shapes
)

_RELU_ONLY = (
    "The methods deconvnet, guided-backprop and guided-gradcam are defined for networks whose only "
    "nonlinearity is ReLU; saliency and integrated-gradients work for every network."
)

Rows = tuple[Tensor | None, Tensor | None]
"""A target for each image of a batch: positions (B,) int64 in its logits, or None."""


class _Score(nn.Module):
    """A network as captum wants it: from images (B, bands, T, T) to one score each, (B,)."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.head(self.trunk(images))
        return result

    def forward(self, images: Tensor, plus: Tensor | None, minus: Tensor | None) -> Tensor:
        logits = self.logits(images)
        score = logits.new_zeros(len(logits))
        if plus is not None:
            score = score + logits.gather(1, plus[:, None])[:, 0]
        if minus is not None:
            score = score - logits.gather(1, minus[:, None])[:, 0]
        return score


class PixelNetwork:
    """A classifier, ready to be explained pixel by pixel.

    The network given is used but not changed, nor does it ever carry hooks. It is to be in
    evaluation mode; that its parameters need no gradients saves memory. For one thread at a time.
    Its rewriting, at the first use of a method that needs that, must not coincide with another
    thread's running any network: torch.fx patches nn.Module meanwhile.
    """

    def __init__(self, cut: Split) -> None:
        self._plain = _Score(cut.trunk, cut.head)

    @cached_property
    def _rewritten(self) -> _Score:
        return _Score(_with_own_relus(self._plain.trunk), _with_own_relus(self._plain.head))

    def check(self, method: str) -> None:
        """See whether a method can be computed; costs at most a second, once.

        Raises:
            InvalidRequest: there is no such method.
            UnsupportedArchitecture: the method is not defined for this network.
        """
        self._score(method)

    def logits(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images, without gradients."""
        with torch.no_grad():
            return self._plain.logits(images)

    def attribute(self, method: str, images: Tensor, targets: Sequence[Target] | None) -> Tensor:
        """Maps (B, K, T, T) float32 of what each pixel contributes to K scores.

        Units, as the images are in standard deviations σ of their bands: logits for
        integrated-gradients, which is signed; logits/σ for the others, which are not negative,
        times logits per cell for guided-gradcam.

        Args:
            method: a key of :data:`PIXEL_METHODS`.
            images: (B, bands, T, T) float32, normalised, on the network's device.
            targets: K scores, or None for each image's own best class (K = 1).

        Raises:
            InvalidRequest: there is no such method.
            UnsupportedArchitecture: the method is not defined for this network.
        """
        score = self._score(method)
        # Of its own, so that captum marks no tensor of the caller's, nor warns that it does.
        images = images.detach().requires_grad_()
        rows = [_rows(target, images) for target in targets or ()]
        if targets is None:
            rows = [(self.logits(images).argmax(dim=1), None)]
        maps = [PIXEL_METHODS[method](score, images, row) for row in rows]
        return torch.stack(maps, dim=1).detach().float()

    def _score(self, method: str) -> _Score:
        if method not in PIXEL_METHODS:
            raise InvalidRequest(
                f"No pixel method {method!r}. There are: {', '.join(PIXEL_METHODS)}."
            )
        return self._rewritten if method in _NEED_RELU else self._plain


def _rows(target: Target, images: Tensor) -> Rows:
    plus, minus = (
        None if index is None else torch.full((len(images),), index, device=images.device)
        for index in target
    )
    return plus, minus


def saliency(score: _Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |∂score/∂x|, (B, T, T) (Simonyan et al. 2013, arXiv:1312.6034).

    Depends on all of the network's parameters (Adebayo et al. 2018, arXiv:1810.03292).
    """
    gradient: Tensor = Saliency(score).attribute(images, additional_forward_args=rows)
    return gradient.amax(dim=1)


def deconvnet(score: _Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R|, (B, T, T) (Zeiler and Fergus 2014, arXiv:1311.2901).

    R is the gradient with the backward pass of ReLU replaced: from g it makes max(g, 0), whatever
    its input was. It tends to recover the image rather than explain the class (Nie et al. 2018,
    arXiv:1805.07039; Sixt et al. 2020, arXiv:1912.09818).
    """
    with _hooks_expected():
        signal: Tensor = Deconvolution(score).attribute(images, additional_forward_args=rows)
    return signal.abs().amax(dim=1)


def guided_backprop(score: _Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R|, (B, T, T) (Springenberg et al. 2014, arXiv:1412.6806).

    R is the gradient with the backward pass of ReLU replaced: from g it makes max(g, 0) where its
    input was positive, else 0. Hardly depends on the parameters of higher layers (Adebayo et al.
    2018, arXiv:1810.03292), hence on the class (Nie et al. 2018, arXiv:1805.07039).
    """
    with _hooks_expected():
        signal: Tensor = GuidedBackprop(score).attribute(images, additional_forward_args=rows)
    return signal.abs().amax(dim=1)


def integrated_gradients(score: _Score, images: Tensor, rows: Rows) -> Tensor:
    """Σ over bands of x · ∫₀¹ ∂score(αx)/∂x dα, (B, T, T), signed, in logits.

    The baseline 0 is the normalisation's mean; a map sums to score(x) - score(0), up to the error
    of the quadrature (Sundararajan et al. 2017, arXiv:1703.01365). The factor x makes maps resemble
    the image whatever the network is (Adebayo et al. 2018, arXiv:1810.03292).
    """
    shares: Tensor = IntegratedGradients(score).attribute(
        images,
        additional_forward_args=rows,
        n_steps=STEPS,
        method="gausslegendre",
        internal_batch_size=len(images),  # a step at a time: the memory of one gradient
    )
    return shares.sum(dim=1)


def guided_gradcam(score: _Score, images: Tensor, rows: Rows) -> Tensor:
    """Max over bands of |R · upsampled ReLU(Grad-CAM)|, (B, T, T) (Selvaraju et al. 2017,
    arXiv:1610.02391).

    R is that of guided backpropagation, Grad-CAM that of the trunk's activations, its gradients
    averaged, interpolated bilinearly. Detail comes from guided backpropagation and shares its
    insensitivity to parameters; only Grad-CAM tells classes apart (Adebayo et al. 2018,
    arXiv:1810.03292).
    """
    with _hooks_expected():
        product: Tensor = GuidedGradCam(score, score.trunk).attribute(
            images, additional_forward_args=rows, interpolate_mode="bilinear"
        )
    return product.abs().amax(dim=1)


PIXEL_METHODS: dict[str, Callable[[_Score, Tensor, Rows], Tensor]] = {
    "saliency": saliency,
    "deconvnet": deconvnet,
    "guided-backprop": guided_backprop,
    "integrated-gradients": integrated_gradients,
    "guided-gradcam": guided_gradcam,
}
_NEED_RELU = frozenset({"deconvnet", "guided-backprop", "guided-gradcam"})


@contextmanager
def _hooks_expected() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
        yield


def _with_own_relus(module: nn.Module) -> fx.GraphModule:
    """The same function of the same parameters, in which every use of ReLU is its own module.

    Raises:
        UnsupportedArchitecture: the module has other nonlinearities, or cannot be traced.
    """
    try:
        traced = fx.symbolic_trace(nn.Sequential(module))
    except Exception as error:
        raise UnsupportedArchitecture(
            f"torch.fx cannot list the network's operations ({error}). {_RELU_ONLY}"
        ) from error
    modules = dict(traced.named_modules())
    foreign = set()
    for number, node in enumerate(list(traced.graph.nodes)):
        if not _is_relu(node, modules):
            if not _is_harmless(node, modules):
                foreign.add(_name(node, modules))
            continue
        source = node.all_input_nodes[0]
        if _in_place(node, modules) and len(source.users) > 1:
            foreign.add("an in-place ReLU whose input is used elsewhere")
        own = f"relu_{number}"
        traced.add_submodule(own, nn.ReLU())
        with traced.graph.inserting_before(node):
            # Without the view, hooks on the input would also see what reaches it by other ways.
            view = traced.graph.call_method("view_as", (source, source))
            node.replace_all_uses_with(traced.graph.call_module(own, (view,)))
        traced.graph.erase_node(node)
    if foreign:
        raise UnsupportedArchitecture(
            f"Besides ReLU the network computes {', '.join(sorted(foreign))}. {_RELU_ONLY}"
        )
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _name(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "call_module":
        return type(modules[str(node.target)]).__name__
    return str(getattr(node.target, "__name__", node.target))


def _is_relu(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return type(modules[str(node.target)]) is nn.ReLU
    return node.op in {"call_function", "call_method"} and _name(node, modules) == "relu"


def _in_place(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return bool(modules[str(node.target)].inplace)
    return bool(node.kwargs.get("inplace"))


def _is_harmless(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], _MODULES)
    if node.op not in {"call_function", "call_method"}:
        return True
    name = _name(node, modules)
    if name == "mul":  # by a number
        return sum(isinstance(factor, fx.Node) for factor in node.args) == 1
    return name in _FUNCTIONS
