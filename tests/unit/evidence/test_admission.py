"""The door: networks of each kind are let in with the right words, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geogaze.errors import GeogazeError
from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Admitted, Said
from geogaze.evidence.routes import explain
from geogaze.networks.cuts import cut_at
from geogaze.networks.logits import logits_of
from geogaze.networks.split import Split
from geogaze.networks.trial import trial_images
from tests.unit.evidence import strangers as s

SIZE = 64


def said(classes: int = 3, bands: int = 3, **options: Any) -> Said:
    names = tuple(f"class {i}" for i in range(classes))
    return Said(names, tuple(f"band-{i}" for i in range(bands)), SIZE, **options)


def let_in(network: nn.Module, classes: int = 3, bands: int = 3, **options: Any) -> Admitted:
    return admit(s.drawn(network), said(classes, bands, **options))


ACCEPTED: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], str]] = {
    "plain": (s.Net, {}, "3 bands, 3 logits (softmax), channel-shift at trunk, cells of 8 px"),
    "13 bands": (
        lambda: s.Net(10, 13),
        {"classes": 10, "bands": 13, "task": "sigmoid"},
        "13 bands, 10 logits (sigmoid), channel-shift at trunk, cells of 8 px",
    ),
    "gray": (lambda: s.Net(3, 1), {"bands": 1}, "1 band, 3 logits (softmax)"),
    "one logit": (lambda: s.Net(1), {"classes": 1}, "3 bands, 1 logit (sigmoid)"),
    "one logit, squeezed": (s.Squeezed, {"classes": 1}, "1 logit (sigmoid)"),
    "regression": (s.Net, {"task": "none"}, "3 logits (no probabilities)"),
    "dict": (s.AsDict, {}, "channel-shift at trunk"),
    "tuple": (s.AsTuple, {}, "channel-shift at trunk"),
    "object": (s.AsObject, {}, "channel-shift at trunk"),
    "out": (s.AsSegmentation, {}, "channel-shift at trunk"),
    "keywords": (s.Keywords, {}, "cells of 4 px"),
    "group norm": (lambda: s.Net(norm=nn.GroupNorm(2, 8)), {}, "cells of 8 px"),
    "instance norm": (lambda: s.Net(norm=nn.InstanceNorm2d(8)), {}, "cells of 8 px"),
    "transposed": (s.Transposed, {}, "cells of 4 px"),
    "attention": (s.Attending, {}, "cells of 8 px"),
    "scaled inside": (s.Scaled, {}, "channel-shift at trunk"),
    "a layer by name": (s.Between, {"layer": "trunk.3"}, "graph at trunk.3, cells of 8 px"),
    "scores behind a sigmoid": (
        lambda: s.Function(torch.sigmoid),
        {"task": "none", "layer": "trunk.4"},
        "3 logits (no probabilities), graph at trunk.4",
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_who_is_let_in_is_explained_as_autograd_explains_it(kind: str) -> None:
    make, options, told = ACCEPTED[kind]
    torch.manual_seed(1)
    network = make()
    found = let_in(network, **options)
    assert found.told().count("\n") == 0
    assert told in found.told()
    assert found.half
    images = torch.randn(2, found.images.shape[1], SIZE, SIZE)
    cut = cut_at(network, options.get("layer"))
    name = found.layer if found.layer in dict(network.named_modules()) else "trunk"
    for index in range(found.logits.shape[1]):
        ours = explain(cut, images, [(index, None)]).evidence[:, 0]
        torch.testing.assert_close(ours, by_the_textbook(network, name, images, index))


def by_the_textbook(network: nn.Module, layer: str, images: Tensor, index: int) -> Tensor:
    """Grad-CAM by a hook on the network as it is, one backward pass for each image."""
    caught: list[Tensor] = []

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        caught.append(output.detach().requires_grad_())
        return caught[-1].clone()

    handle = dict(network.named_modules())[layer].register_forward_hook(hook)
    maps = []
    for image in images:
        caught.clear()
        logits = logits_of(network(image[None]), 1)
        (gradient,) = torch.autograd.grad(logits[0, index], caught[0])
        weights = gradient.sum(dim=(2, 3), keepdim=True)
        maps.append((weights * caught[0].detach()).sum(dim=1)[0])
    handle.remove()
    return torch.stack(maps)


@pytest.mark.parametrize(
    ("last", "classes", "task"),
    [
        (nn.Softmax(dim=1), 3, "softmax"),
        (nn.LogSoftmax(dim=1), 3, "softmax"),
        (nn.Sigmoid(), 1, "sigmoid"),
    ],
    ids=["softmax", "log-softmax", "sigmoid"],
)
def test_a_last_module_that_makes_probabilities_is_taken_off(
    last: nn.Module, classes: int, task: str
) -> None:
    network = s.drawn(s.Ending(last, classes))
    found = admit(network, said(classes))
    assert (found.task, found.stripped) == (task, "head.3")
    assert "head.3, which made probabilities of the logits, was taken off" in found.told()
    with torch.no_grad():
        assert torch.equal(network(found.images), found.logits)
        torch.testing.assert_close(last(network(found.images)), last(found.logits))
    assert (found.logits < 0).any() or classes == 1
    assert isinstance(cut_at(network), Split)
    assert found.route == "channel-shift"


REFUSED: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], str]] = {
    "another number of classes": (lambda: s.Net(4), {}, "gives 4 logits, but there are 3"),
    "another number of bands": (lambda: s.Net(3, 13), {}, "first layer takes 13 band.*--bands"),
    "dropout": (s.Dropping, {}, "dropout stays active.*training=self.training"),
    "something between": (s.Between, {}, r"another function.*--layer trunk\.4"),
    "a dict between": (s.TrunkOfDicts, {}, "trunk gives dict, not maps.*--layer"),
    "softmax": (lambda: s.Function(lambda x: x.softmax(1)), {}, "softmax.*--task none"),
    "softmax by hand": (
        lambda: s.Function(lambda x: x.exp() / x.exp().sum(1, keepdim=True)),
        {},
        "ends in softmax.*--task none",
    ),
    "log of a softmax": (
        lambda: s.Function(lambda x: F.softmax(x, 1).log()),
        {},
        "log_softmax.*--task none",
    ),
    "sigmoid": (lambda: s.Function(torch.sigmoid), {}, "sigmoid.*--task none"),
    "sigmoid and squeezed": (
        lambda: s.Function(lambda x: x.sigmoid().squeeze(), 1),
        {"classes": 1},
        "sigmoid.*--task none",
    ),
    "sigmoid for softmax": (
        lambda: s.Ending(nn.Sigmoid()),
        {"task": "softmax"},
        "not --task softmax: give --task sigmoid",
    ),
    "softmax of one": (lambda: s.Net(1), {"classes": 1, "task": "softmax"}, "always 1.*sigmoid"),
    "8 cells": (lambda: s.Pooled(8), {}, "adaptive pooling"),
    "4 cells": (lambda: s.Pooled(4), {}, "adaptive pooling|no map"),
    "a layer that runs twice": (s.Twice, {"layer": "block"}, "runs more than once"),
    "no layer": (s.Twice, {}, "such as --layer stem"),
    "no such layer": (s.Twice, {"layer": "stme"}, "stem"),
    "batch statistics": (
        lambda: s.Net(norm=nn.BatchNorm2d(8, track_running_stats=False)),
        {},
        "another image is in the batch",
    ),
    "segmentation, no layer": (s.Segmenting, {}, "such as --layer encoder"),
    "segmentation, one class": (
        lambda: s.Segmenting(1),
        {"classes": 1, "task": "softmax"},
        "always 1.*sigmoid",
    ),
    "detection": (s.Detecting, {}, "detects objects"),
    "a forward that fails": (s.Failing, {}, "forward of Failing.*KeyError"),
    "a place of its own": (s.MetaHostile, {}, "another function"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_be_explained_wrongly_is_refused_in_a_sentence(kind: str) -> None:
    make, options, match = REFUSED[kind]
    with pytest.raises(GeogazeError, match=match) as refused:
        let_in(make(), **options)
    text = str(refused.value)
    assert refused.value.status == 400
    assert "\n" not in text
    assert len(text) < 320
    for torchs in ("Expected", "RuntimeError(", "size mismatch", "torch text", "Traceback"):
        assert torchs not in text


def test_weights_that_are_no_numbers_are_named() -> None:
    network = s.drawn(s.Net())
    network.head[2].weight[0, 0] = float("nan")
    with pytest.raises(GeogazeError, match=r"no numbers \(in head\.2\.weight\)"):
        admit(network, said())


def test_scores_that_are_no_numbers_are_refused() -> None:
    network = s.drawn(s.Net())
    network.trunk[1].running_var.fill_(-1)
    with pytest.raises(GeogazeError, match="scores of an ordinary image are no numbers"):
        admit(network, said())


def test_half_precision_that_changes_scores_is_told() -> None:
    """Large weights that cancel no longer do when they are rounded."""
    network = s.drawn(s.Net())
    with torch.no_grad():
        network.head[2].weight += 100
        network.head[2].bias -= (
            1000 * network.trunk(trial_images(3, SIZE)).mean(dim=(0, 2, 3)).sum()
        )
    found = admit(network, said())
    assert not found.half
    assert "stored in full precision" in found.told()
