"""Heads read off their modules: which are, that what they say is exact, and which are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.convnext import LayerNorm2d

from geogaze.evidence import heads
from geogaze.evidence.heads import ChannelHead, VectorHead, recognise, score_rows, scores
from geogaze.evidence.routes import explain_activations
from geogaze.models.methods import METHODS
from geogaze.models.targets import Target, own
from geogaze.networks.split import Split
from tests.unit.networks.test_architectures import CLASSES, pictures, pieces

CAMS = tuple(name for name, method in METHODS.items() if method.of_layer)

C, SIDE = 6, 7  # of the activations that toy heads take

gap = lambda: nn.AdaptiveAvgPool2d(1)  # noqa: E731
flat = nn.Flatten
TARGETS: list[Target] = [(0, None), (2, None), (1, 0), (None, 2)]


class TwiceLinear(nn.Linear):
    """What a subclass may do."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x) ** 3


class TwiceMax(nn.MaxPool2d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x) ** 3


class Square(torch.autograd.Function):
    """Has no derivative in forward mode."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


class Squared(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Square.apply(x)


class InPlace(nn.Module):
    """Overwrites what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        x *= 3
        return x.sin_()


class First(nn.Module):
    """Of what a pooling with indices gives, the values."""

    def forward(self, x: tuple[Tensor, Tensor]) -> Tensor:
        return x[0]


def hooked(module: nn.Module) -> nn.Module:
    module.register_forward_hook(lambda module, args, output: output.sinh())
    return module


def hooked_before(module: nn.Module) -> nn.Module:
    module.register_forward_pre_hook(lambda module, args: (args[0].sinh(),))
    return module


UNIFORM: dict[str, Callable[[], list[nn.Module]]] = {
    "linear": lambda: [gap(), flat(), nn.Linear(C, 3)],
    "dropouts and a nested sequence": lambda: [
        nn.Dropout2d(),
        nn.Sequential(gap(), nn.Sequential(nn.Identity(), flat())),
        nn.Dropout(),
        nn.Linear(C, 3),
    ],
    "pair": lambda: [nn.AdaptiveAvgPool2d((1, 1)), flat(), nn.Linear(C, 3, bias=False)],
    "no linear layer": lambda: [gap(), flat()],
    "GELU": lambda: [gap(), flat(), nn.Linear(C, 5), nn.GELU(), nn.Linear(5, 3)],
    "in place": lambda: [gap(), flat(), nn.ReLU(inplace=True), nn.Linear(C, 3)],
    "batch norm": lambda: [
        gap(),
        flat(),
        nn.Linear(C, 5),
        nn.BatchNorm1d(5),
        nn.Hardswish(inplace=True),
        nn.Linear(5, 3),
    ],
    "layer norm": lambda: [gap(), flat(), nn.LayerNorm(C), nn.Linear(C, 3)],
    "convolutions": lambda: [gap(), nn.Conv2d(C, 5, 1), nn.SiLU(), nn.Conv2d(5, 3, 1), flat()],
    "no forward mode": lambda: [gap(), flat(), nn.Linear(C, 5), Squared(), nn.Linear(5, 3)],
    "overwrites its input": lambda: [gap(), flat(), InPlace(), nn.Linear(C, 3)],
    "ends in a function": lambda: [gap(), flat(), nn.Linear(C, 3), nn.Tanh()],
    "a linear layer of one's own": lambda: [gap(), flat(), TwiceLinear(C, 3)],
}
"""Begin with global average pooling: what follows is a function of a vector, whatever it is."""

SHIFTED: dict[str, Callable[[], list[nn.Module]]] = {
    "no pooling": lambda: [flat(), nn.Linear(C * SIDE**2, 3)],
    "no pooling, deep": lambda: [flat(), nn.Linear(C * SIDE**2, 5), nn.ReLU(), nn.Linear(5, 3)],
    "maximum": lambda: [nn.AdaptiveMaxPool2d(1), flat(), nn.Linear(C, 3)],
    "maximum, deep": lambda: [
        nn.AdaptiveMaxPool2d((1, 1)),
        flat(),
        nn.Linear(C, 5),
        nn.Mish(),
        nn.Linear(5, 3),
    ],
    "padded maximum": lambda: [
        nn.MaxPool2d(3, 2, padding=1),
        flat(),
        nn.Linear(C * 16, 5),
        nn.ELU(),
        nn.Linear(5, 3),
    ],
    "dilated maximum": lambda: [nn.MaxPool2d(3, 2, dilation=2), flat(), nn.Linear(C * 4, 3)],
    "average over what is there": lambda: [
        nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        flat(),
        nn.Linear(C * 16, 3),
    ],
    "average, beyond the border": lambda: [
        nn.AvgPool2d(2, ceil_mode=True),
        flat(),
        nn.Linear(C * 16, 3),
    ],
    "several": lambda: [
        nn.MaxPool2d(2),
        nn.AvgPool2d(2, 1),
        nn.AdaptiveAvgPool2d(2),
        flat(),
        nn.Linear(C * 4, 3),
    ],
    "several, then global": lambda: [nn.MaxPool2d(3), gap(), flat(), nn.Linear(C, 3)],
    "more cells than there were": lambda: [nn.AdaptiveAvgPool2d(9), flat(), nn.Linear(C * 81, 3)],
}
"""Pooling that a shift of a channel passes, but not the same gradient everywhere."""

BY_CHANNEL: dict[str, Callable[[], list[nn.Module]]] = {
    "ReLU": lambda: [nn.Conv2d(C, 3, 1), nn.ReLU(inplace=True), gap(), flat()],
    "SqueezeNet's": lambda: [nn.Dropout(), nn.Conv2d(C, 3, 1), nn.ReLU(), gap(), flat(1)],
    "no bias": lambda: [nn.Conv2d(C, 3, 1, bias=False), nn.Softplus(), gap(), flat()],
    "linear": lambda: [nn.Conv2d(C, 3, 1), gap(), flat()],
    "both ends": lambda: [nn.Conv2d(C, 3, 1), nn.Tanh(), gap(), nn.Sigmoid(), flat()],
    # Pooling that counts zeros is differentiated, not passed.
    "padded average": lambda: [
        nn.Conv2d(C, 3, 1, padding="same"),
        nn.AvgPool2d(3, 2, padding=1),
        nn.GELU(),
        nn.AdaptiveMaxPool2d(1),
        flat(),
    ],
}
"""A channel for each class."""

REFUSED: dict[str, Callable[[], list[nn.Module]]] = {
    "zeros counted": lambda: [nn.AvgPool2d(3, 2, padding=1), flat(), nn.Linear(C * 16, 3)],
    "zeros counted along one axis": lambda: [
        nn.AvgPool2d(3, 2, padding=(0, 1)),
        flat(),
        nn.Linear(C * 12, 3),
    ],
    "zeros counted, by list": lambda: [
        nn.AvgPool2d(3, 2, padding=[1, 1]),  # type: ignore[arg-type]
        flat(),
        nn.Linear(C * 16, 3),
    ],
    "another divisor": lambda: [
        nn.AvgPool2d(3, 2, divisor_override=2),
        flat(),
        nn.Linear(C * 9, 3),
    ],
    "powers": lambda: [nn.LPPool2d(2, 2), flat(), nn.Linear(C * 9, 3)],
    "indices": lambda: [
        nn.MaxPool2d(3, 2, return_indices=True),
        First(),
        flat(),
        nn.Linear(C * 9, 3),
    ],
    "global indices": lambda: [
        nn.AdaptiveMaxPool2d(1, return_indices=True),
        First(),
        flat(),
        nn.Linear(C, 3),
    ],
    "3 × 3 convolution": lambda: [nn.Conv2d(C, 3, 3), nn.ReLU(), gap(), flat()],
    "strided convolution": lambda: [nn.Conv2d(C, 3, 1, stride=2), nn.ReLU(), gap(), flat()],
    "padded convolution": lambda: [nn.Conv2d(C, 3, 1, padding=1), nn.Tanh(), gap(), flat()],
    "grouped convolution": lambda: [nn.Conv2d(C, 3, 1, groups=3), nn.ReLU(), gap(), flat()],
    "channels mixed later": lambda: [
        nn.Conv2d(C, 5, 1),
        nn.ReLU(),
        gap(),
        flat(),
        nn.Linear(5, 3),
    ],
    "softmax over classes": lambda: [nn.Conv2d(C, 3, 1), nn.Softmax(dim=1), gap(), flat()],
    "several values of a channel": lambda: [
        nn.Conv2d(C, 3, 1),
        nn.Tanh(),
        gap(),
        nn.AvgPool2d(2, 1, padding=1),
        flat(),
    ],
    "no global pooling": lambda: [nn.Conv2d(C, 3, 1), nn.AdaptiveAvgPool2d(2), flat()],
    "activation first": lambda: [nn.Tanh(), gap(), flat(), nn.Linear(C, 3)],
    "batch norm first": lambda: [nn.BatchNorm2d(C), gap(), flat(), nn.Linear(C, 3)],
    "hook": lambda: [gap(), flat(), hooked(nn.Linear(C, 3))],
    "hook on the pooling": lambda: [hooked(gap()), flat(), nn.Linear(C, 3)],
    "hook before": lambda: [hooked_before(nn.MaxPool2d(2)), gap(), flat(), nn.Linear(C, 3)],
    "hook on a sequence": lambda: [hooked(nn.Sequential(gap())), flat(), nn.Linear(C, 3)],
    "hook on the identity": lambda: [hooked(nn.Identity()), gap(), flat(), nn.Linear(C, 3)],
    "subclass of a linear layer": lambda: [flat(), TwiceLinear(C * SIDE**2, 3)],
    "subclass of a pooling": lambda: [TwiceMax(2), flat(), nn.Linear(C * 9, 3)],
    "flattened in two steps": lambda: [flat(2), flat(1), nn.Linear(C * SIDE**2, 3)],
    "a linear layer for each channel": lambda: [
        flat(2),
        nn.Linear(SIDE**2, 4),
        flat(),
        nn.Linear(C * 4, 3),
    ],
    "flattened channels and rows": lambda: [
        flat(1, 2),
        nn.AdaptiveAvgPool2d((C * SIDE, 1)),
        flat(),
        nn.Linear(C * SIDE, 3),
    ],
}
"""Not known to be exact."""


def make(modules: list[nn.Module], seed: int = 1) -> nn.Sequential:
    """In double precision, with parameters that matter."""
    head = nn.Sequential(*modules).double().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for parameter in head.parameters():
        size = 0.3 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
        parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    for name, buffer in head.named_buffers():
        if "running" in name:
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return head


def maps(batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, C, SIDE, SIDE, generator=generator).double()


def reference(head: nn.Module, activations: Tensor, targets: list[Target]) -> Tensor:
    """Grad-CAM of each image and score by itself, (B, K, h, w)."""
    result = torch.zeros(len(activations), len(targets), *activations.shape[2:]).double()
    for b in range(len(activations)):
        for k, (plus, minus) in enumerate(targets):
            here = activations[b : b + 1].clone().requires_grad_()
            logits = head(here * 1)[0]
            score = (0 if plus is None else logits[plus]) - (0 if minus is None else logits[minus])
            (gradient,) = torch.autograd.grad(score, here)
            for channel in range(activations.shape[1]):
                result[b, k] += gradient[0, channel].sum() * activations[b, channel]
    return result


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference, of the largest value of each map; some may be 0."""
    assert a.shape == b.shape
    peak = b.abs().amax(dim=(-2, -1), keepdim=True)
    assert peak.max() > 1e-3
    return float(((a - b).abs() / peak.clamp(min=1e-12)).max())


KNOWN = {
    **{("uniform", name): head for name, head in UNIFORM.items()},
    **{("shifted", name): head for name, head in SHIFTED.items()},
    **{("by channel", name): head for name, head in BY_CHANNEL.items()},
}


@pytest.mark.parametrize(("kind", "name"), KNOWN)
def test_known_heads_are_recognised_and_exact(kind: str, name: str) -> None:
    head = make(KNOWN[kind, name]())
    found = recognise(head)
    assert isinstance(found, ChannelHead if kind == "by channel" else VectorHead)
    assert found.uniform == (kind == "uniform")
    cut, activations = Split(nn.Identity(), head, ""), maps()
    expected = reference(head, activations, TARGETS)
    many = TARGETS * (SIDE**2 // len(TARGETS) + 1)
    assert len(many) > SIDE**2
    for targets in (TARGETS, many):
        result = explain_activations(cut, activations, targets)
        assert result.route == "channel-shift"
        assert difference(result.evidence[:, : len(TARGETS)], expected) < 1e-9
        assert difference(result.evidence[:, -len(TARGETS) :], expected) < 1e-9
        torch.testing.assert_close(result.logits, head(activations))
    assert torch.equal(activations, maps()), "heads that work in place spoil nothing"


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_heads_serve_every_method(name: str) -> None:
    head, activations = make(UNIFORM[name]()), maps()
    opaque = Split(nn.Identity(), Opaque(head), "")
    for method in CAMS:
        result = explain_activations(Split(nn.Identity(), head, ""), activations, TARGETS, method)
        expected = explain_activations(opaque, activations, TARGETS, method)
        assert (result.route, expected.route) == ("channel-shift", "head-vjp")
        assert difference(result.evidence, expected.evidence) < 1e-9


@pytest.mark.parametrize(
    "name", [name for kind, name in KNOWN if kind != "uniform" and name != "padded average"]
)
def test_other_known_heads_serve_gradcam_alone(name: str) -> None:
    head = make((SHIFTED | BY_CHANNEL)[name]())
    cut = Split(nn.Identity(), head, "")
    for method in CAMS:
        path = explain_activations(cut, maps(), TARGETS, method).route
        assert path == ("channel-shift" if method == "gradcam" else "head-vjp")


@pytest.mark.parametrize("name", REFUSED)
def test_unknown_heads_are_not_recognised_and_still_exact(name: str) -> None:
    head = make(REFUSED[name]())
    assert recognise(head) is None
    cut, activations = Split(nn.Identity(), head, ""), maps()
    classes = head(activations).shape[1]
    targets = [t for t in TARGETS if max(i for i in t if i is not None) < classes]
    result = explain_activations(cut, activations, targets)
    assert result.route == "head-vjp"
    assert difference(result.evidence, reference(head, activations, targets)) < 1e-9


@pytest.mark.parametrize(
    "head",
    [
        nn.Sequential(),
        nn.Identity(),
        nn.Conv2d(C, 3, 1),
        nn.Sequential(nn.Conv2d(C, 3, 1), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(2)),
        nn.Sequential(nn.Flatten()),
        nn.Linear(SIDE, 3),
    ],
)
def test_what_is_no_whole_head_is_not_recognised(head: nn.Module) -> None:
    assert recognise(head) is None


class Opaque(nn.Module):
    """A head that cannot be read off."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


def constant(layer: nn.Module, weight: list[list[float]], bias: list[float]) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight).reshape(layer.weight.shape))
        layer.bias.copy_(torch.tensor(bias))
    return layer


# Two channels, 1 × 2 cells: A_1 = (1, 3), A_2 = (-2, 6).
HAND = torch.tensor([[1.0, 3.0], [-2.0, 6.0]]).reshape(1, 2, 1, 2)
HAND_HEADS: dict[str, tuple[Callable[[], list[nn.Module]], list[list[float]], list[float]]] = {
    # Means (2, 2); logits 2·2 - 1·2 + 10 and 0·2 + 3·2; maps 2 A_1 - A_2 and 3 A_2.
    "global average": (
        lambda: [gap(), flat(), constant(nn.Linear(2, 2), [[2, -1], [0, 3]], [10, 0])],
        [[4, 0], [-6, 18]],
        [12, 6],
    ),
    # Largest (3, 6); logits 2·3 - 6 + 10 and 18; the maps are the same.
    "global maximum": (
        lambda: [
            nn.AdaptiveMaxPool2d(1),
            flat(),
            constant(nn.Linear(2, 2), [[2, -1], [0, 3]], [10, 0]),
        ],
        [[4, 0], [-6, 18]],
        [10, 18],
    ),
    # Weights of channels, summed over their cells: (1 + 2, -1 + 0) and (0 + 0, 1 + 1).
    "flattened": (
        lambda: [flat(), constant(nn.Linear(4, 2), [[1, 2, -1, 0], [0, 0, 1, 1]], [0, 1])],
        [[3 * 1 + 2, 3 * 3 - 6], [-4, 12]],
        [9, 5],
    ),
    # Hidden (2 - 2·2, 2·2 + 2·2) = (-2, 8), of which ReLU passes the second: logits 8 and -8.
    "hidden layer": (
        lambda: [
            gap(),
            flat(),
            constant(nn.Linear(2, 2), [[1, -2], [2, 2]], [0, 0]),
            nn.ReLU(),
            constant(nn.Linear(2, 2), [[5, 1], [5, -1]], [0, 0]),
        ],
        [[2 * 1 - 2 * 2, 2 * 3 + 2 * 6], [2, -18]],
        [8, -8],
    ),
    # Mixed channels A_1 + A_2 - 1 = (-2, 8) and -A_1 + 2 = (1, -1): ReLU passes one cell of each,
    # whose gradient is 1/2. Maps (A_1 + A_2) / 2 and -A_1 / 2.
    "by channel": (
        lambda: [
            constant(nn.Conv2d(2, 2, 1), [[1, 1], [-1, 0]], [-1, 2]),
            nn.ReLU(),
            gap(),
            flat(),
        ],
        [[-0.5, 4.5], [-0.5, -1.5]],
        [4, 0.5],
    ),
}


@pytest.mark.parametrize("name", HAND_HEADS)
def test_maps_are_those_computed_by_hand(name: str) -> None:
    modules, expected, logits = HAND_HEADS[name]
    cut = Split(nn.Identity(), nn.Sequential(*modules()).requires_grad_(False), "")
    contrast: list[Target] = [*own((0, 1)), (0, 1), (None, 1)]
    first, second = torch.tensor(expected)
    for targets in (own((0, 1)), contrast):
        result = explain_activations(cut, HAND, targets)
        assert result.route == "channel-shift"
        wanted = torch.stack([first, second, first - second, -second])[: len(targets)].float()
        torch.testing.assert_close(result.evidence[0, :, 0], wanted)
        torch.testing.assert_close(result.logits, torch.tensor([logits]).float())
    best = explain_activations(cut, HAND, None).evidence
    torch.testing.assert_close(
        best[0, 0, 0], torch.tensor(expected[int(logits[1] > logits[0])]).float()
    )


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From which side derivatives were taken."""
    taken: list[str] = []
    for name in ("_from_cells", "_from_classes"):
        whole = getattr(VectorHead, name)

        def noted(*args: object, name: str = name, whole: Callable = whole) -> object:
            taken.append(name)
            return whole(*args)

        monkeypatch.setattr(VectorHead, name, noted)
    return taken


@pytest.mark.parametrize("name", ["vgg11", "alexnet", "mobilenet_v3_small", "convnext_tiny"])
def test_derivatives_from_the_cells_and_from_the_classes_agree(name: str, sides: list[str]) -> None:
    cut = pieces(name)
    side = 72 if name != "vgg11" else 64
    with torch.no_grad():
        activations = cut.trunk(pictures(2, side if name != "convnext_tiny" else 96))
    cells = activations[0, 0].numel()
    asked: list[Target] = [*own(range(CLASSES)), (1, 7), (None, 4), *own(range(CLASSES))]
    assert len(asked) > cells
    together = explain_activations(cut, activations, asked)
    assert sides == ["_from_cells"]
    few = [asked[start : start + cells] for start in range(0, len(asked), cells)]
    parts = [explain_activations(cut, activations, part) for part in few]
    assert sides == ["_from_cells"] + ["_from_classes"] * len(few)
    assert {together.route, *(part.route for part in parts)} == {"channel-shift"}
    by_parts = torch.cat([part.evidence for part in parts], dim=1)
    assert difference(together.evidence, by_parts) < 1e-9
    torch.testing.assert_close(together.logits, parts[0].logits)


@pytest.mark.parametrize("kind", sorted(heads._FORWARD_MODE, key=lambda kind: kind.__name__))
def test_forward_mode_of_all_that_it_is_used_for(kind: type[nn.Module], sides: list[str]) -> None:
    size = {nn.Linear: [C, 5], nn.LayerNorm: [[C]], nn.BatchNorm1d: [C], LayerNorm2d: [C]}
    module = kind(*size.get(kind, []))
    before = [gap()] if kind is LayerNorm2d else [gap(), flat()]
    head = make([*before, module, flat(), nn.Tanh(), nn.Linear(5 if kind is nn.Linear else C, 3)])
    cut = Split(nn.Identity(), head, "")
    found = explain_activations(cut, 3 * maps(), TARGETS * SIDE**2).evidence[:, : len(TARGETS)]
    assert sides == ["_from_cells"]
    assert difference(found, reference(head, 3 * maps(), TARGETS)) < 1e-9


def test_linear_heads_take_no_derivative_of_cells(sides: list[str]) -> None:
    head = Split(nn.Identity(), make(UNIFORM["linear"]()), "")
    explain_activations(head, maps(), own([0, 1, 2] * SIDE**2))
    explain_activations(pieces_of_gelu(), maps(), None)
    explain_activations(pieces_of_gelu(), maps(), own([0, 1, 2] * SIDE**2), "layercam")
    assert sides == ["_from_classes"] * 3


def pieces_of_gelu() -> Split:
    return Split(nn.Identity(), make(UNIFORM["GELU"]()), "")


def test_scores_are_pluses_less_minuses_along_any_dimension() -> None:
    values = maps()
    targets: list[Target] = [(0, None), (None, 5), (3, 2), (3, 3)]
    zero = torch.zeros_like(values[:, 0])
    expected = [values[:, 0], -values[:, 5], values[:, 3] - values[:, 2], zero]
    assert torch.equal(scores(values, targets, dim=1), torch.stack(expected, dim=1))
    assert torch.equal(scores(values[:, 0, :4], own([2]), dim=2), values[:, 0, :4][:, :, [2]])
    assert torch.equal(scores(values[0], targets), torch.stack([row[0] for row in expected]))


def test_rows_of_the_best_are_each_images_own() -> None:
    weight = torch.arange(12.0).reshape(3, 4)
    logits = torch.tensor([[0.0, 2, 1], [5, 2, 1]])
    assert torch.equal(score_rows(weight, None, logits), weight[[1, 0]][None])
    rows = score_rows(weight, [(2, None), (0, 1)], logits)
    assert torch.equal(rows, torch.stack([weight[2], weight[0] - weight[1]])[:, None])


def test_a_mixing_layer_that_changes_is_summed_anew() -> None:
    torch.manual_seed(0)
    mix = nn.Linear(C * SIDE**2, 3)
    head = nn.Sequential(nn.Flatten(1), mix).double().requires_grad_(False)
    known = recognise(head)
    assert known is not None
    activations = maps()
    _, before = known.explain(activations, TARGETS, "gradcam")
    with torch.no_grad():
        mix.weight.mul_(-2)
    _, after = known.explain(activations, TARGETS, "gradcam")
    assert difference(after, -2 * before) < 1e-9
