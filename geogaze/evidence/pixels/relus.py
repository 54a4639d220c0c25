"""A network rewritten, exactly, so that the backward pass of every ReLU can be replaced.

Deconvolution and guided backpropagation replace what ReLU does in the backward pass. captum does so
for nn.ReLU modules alone: it passes functional calls by without a word, takes a module that serves
parallel branches for one place, and rectifies too much where the input of a ReLU is used elsewhere
as well. Therefore each use of ReLU becomes a module of its own with an input of its own; what has
other nonlinearities is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch import fx, nn

from geogaze.errors import UnsupportedArchitecture

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


@contextmanager
def hooks_expected() -> Iterator[None]:
    """Hide captum's warning that it sets hooks: they are on a copy."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
        yield


def with_own_relus(module: nn.Module) -> fx.GraphModule:
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
