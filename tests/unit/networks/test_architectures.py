"""Every family is cut so that head(trunk(x)) is the network itself."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import VGG, AlexNet, ConvNeXt, EfficientNet, ResNet, SqueezeNet
from torchvision.models.convnext import CNBlock
from torchvision.models.efficientnet import FusedMBConv, MBConv
from torchvision.models.resnet import Bottleneck

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.heads import recognise
from geogaze.networks import architectures as module
from geogaze.networks import families
from geogaze.networks.architectures import architectures, build
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at, split
from geogaze.networks.families import FAMILIES
from geogaze.networks.split import Split

NETWORKS = {
    "alexnet": 64,
    "vgg11": 64,
    "resnet18": 72,
    "resnext50_32x4d": 72,
    "wide_resnet50_2": 72,
    "densenet121": 96,
    "squeezenet1_1": 64,
    "googlenet": 72,
    "inception_v3": 128,
    "mobilenet_v2": 72,
    "mobilenet_v3_small": 72,
    "shufflenet_v2_x0_5": 72,
    "efficientnet_b0": 72,
    "efficientnet_v2_s": 72,
    "mnasnet0_5": 72,
    "regnet_x_400mf": 72,
    "regnet_y_400mf": 72,
    "convnext_tiny": 96,
}
"""A member of every family but transformers, and an image side that gives it 3 × 3 activations or
so.
"""

TRANSFORMERS = ("maxvit_t", "swin_v2_t", "vit_b_16", "vit_l_16")
"""Held by :mod:`tests.unit.networks.test_transformers`."""
LABELLING = ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large")

CLASSES = 10


@cache
def network(name: str, seed: int = 0) -> nn.Module:
    """In double precision, with weights like those that training leaves: no layer is dead."""
    torch.manual_seed(seed)
    model = build(name, CLASSES)
    _make_small(model)
    if hasattr(model, "transform_input"):
        model.transform_input = True  # as published weights of GoogLeNet and Inception want it
    model = model.to_empty(device="cpu").requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                part.bias.uniform_(0.05, 0.2)
        elif isinstance(part, nn.BatchNorm2d | nn.LayerNorm):
            part.reset_parameters()
            part.weight.uniform_(0.5, 1.5)
            part.bias.uniform_(-0.2, 0.2)
    if isinstance(model, ConvNeXt):
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("layer_scale"):
                parameter.uniform_(0.2, 0.5)
    images = pictures(3, NETWORKS[name]).float()
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        model(images)
    _balance(model.eval(), images)
    return model.double()


def _balance(model: nn.Module, images: Tensor) -> None:
    """Let the images, not the biases, decide on the best class; no ReLU behind is dead."""
    if isinstance(model, SqueezeNet):
        last = model.classifier[1]
    else:
        last = [part for part in model.modules() if isinstance(part, nn.Linear)][-1]
    outputs: list[Tensor] = []
    handle = last.register_forward_hook(lambda *caught: outputs.append(caught[2].clone()))
    model(images)
    handle.remove()
    by_class = outputs[0].transpose(0, 1).flatten(1)
    last.bias -= by_class.mean(dim=1)
    if isinstance(model, SqueezeNet):
        last.bias += by_class.std(dim=1)


def _make_small(model: nn.Module) -> None:
    """The same modules, fewer: one residual block in a stage, 48 hidden features, not 4,096."""
    if isinstance(model, VGG | AlexNet):
        linear = [i for i, part in enumerate(model.classifier) if isinstance(part, nn.Linear)]
        widths = [model.classifier[linear[0]].in_features, 48, 48, CLASSES]
        for i, wide, narrow in zip(linear, widths[:-1], widths[1:], strict=True):
            model.classifier[i] = nn.Linear(wide, narrow, device="meta")
    elif isinstance(model, ResNet) and isinstance(model.layer1[0], Bottleneck):
        for number in range(1, 5):
            del getattr(model, f"layer{number}")[1:]
    elif isinstance(model, EfficientNet | ConvNeXt):
        for stage in model.features:
            if isinstance(stage[0], MBConv | FusedMBConv | CNBlock):
                del stage[1:]


@cache
def pieces(name: str, seed: int = 0) -> Split:
    return split(network(name, seed))


def pictures(count: int, size: int) -> Tensor:
    coarse = torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(7)).double()
    return nn.functional.interpolate(2 * coarse, size, mode="bilinear", antialias=True)


@cache
def activations(name: str) -> Tensor:
    """Of two pictures."""
    with torch.no_grad():
        return pieces(name).trunk(pictures(2, NETWORKS[name]))


class Own(nn.Module):
    """Two parts, as anybody's network may have them."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Tanh())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))


class Plain(nn.Module):
    """A network that says nothing about its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 5, 3)
        self.classifier = nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def test_every_family_has_a_member_here() -> None:
    for prefix in [prefix for family in FAMILIES for prefix in family.prefixes]:
        assert any(n.startswith(prefix) for n in (*NETWORKS, *TRANSFORMERS, *LABELLING)), prefix
    assert {*NETWORKS, *TRANSFORMERS, *LABELLING} <= set(architectures())


def test_every_type_and_every_name_is_of_one_family() -> None:
    assert len(set(architectures())) == len(architectures())
    types = [kind for family in FAMILIES for kind in family.types]
    assert len(set(types)) == len(types)


def test_a_file_forgotten_in_the_table_is_noticed() -> None:
    modules = [
        import_module(f"{families.__name__}.{found.name}")
        for found in pkgutil.iter_modules(families.__path__)
    ]
    written = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    assert len(written) == len(FAMILIES)
    assert all(family in FAMILIES for family in written)


@pytest.mark.parametrize(("name", "size"), NETWORKS.items())
def test_the_two_pieces_make_the_network(name: str, size: int) -> None:
    images, cut = pictures(2, size), pieces(name)
    maps = activations(name)
    with torch.no_grad():
        logits = cut.head(maps.clone())
        expected = network(name)(images)
    assert maps.ndim == 4
    assert maps.shape[2] > 1, "the cut lies behind the pooling"
    assert logits.shape == (2, CLASSES)
    torch.testing.assert_close(logits, expected, rtol=0, atol=0)
    # Zeros would agree with anything.
    assert expected.std() > 0
    assert (expected[0] - expected[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_the_cut_is_named_after_the_layer_whose_output_it_is(name: str) -> None:
    model, cut = network(name), pieces(name)
    if name == "densenet121":
        assert cut.module == "relu(features.norm5)", "no module's"
        return
    with torch.no_grad():
        caught = Captured(model, cut.module).activations(pictures(2, NETWORKS[name]))
    assert torch.equal(caught, activations(name))


def test_a_named_layer_is_cut_at_where_that_is_the_natural_one_else_captured() -> None:
    model = network("resnet18")
    assert isinstance(cut_at(model), Split)
    assert isinstance(cut_at(model, "layer4"), Split)
    inner = cut_at(model, "layer3")
    assert isinstance(inner, Captured)
    assert (inner.module, inner.model) == ("layer3", model)
    assert isinstance(cut_at(network("densenet121"), "relu(features.norm5)"), Split)
    with pytest.raises(UnsupportedArchitecture, match=r"ResNet has no layer 'layer5'.*layer4"):
        cut_at(model, "layer5")


def test_networks_are_built_without_weights_unless_asked() -> None:
    assert all(p.is_meta for p in build("resnet18", 3).parameters())
    assert not build("resnet18", 3).training
    drawn = build("shufflenet_v2_x0_5", 3, initialise=True)
    assert not any(p.is_meta for p in drawn.parameters())
    assert drawn.fc.weight.std() > 0


def test_published_weights_bring_their_change_of_normalisation() -> None:
    for name in ("googlenet", "inception_v3"):
        assert build(name, 3, published=True).transform_input is True
        assert build(name, 3).transform_input is False


@pytest.mark.parametrize("name", ["vit_h_14", "vit_b_8", "resnet19", "", "VGG16"])
def test_what_is_not_a_known_classifier_is_refused(name: str) -> None:
    assert name not in architectures()
    with pytest.raises(UnsupportedArchitecture, match="vgg"):
        build(name, 10)


def test_every_offered_family_has_a_cut() -> None:
    named = [name for name in architectures() if not name.startswith(("regnet", "inception"))]
    for name in named[::5]:
        assert split(build(name, 2)).module


def test_a_network_may_say_itself_where_it_is_cut() -> None:
    own = Own()
    for cut in (split(own), cut_at(own), cut_at(own, "trunk")):
        assert isinstance(cut, Split)
        assert (cut.trunk, cut.head, cut.module) == (own.trunk, own.head, "trunk")
        assert recognise(cut.head) is not None
    assert isinstance(cut_at(own, "trunk.0"), Captured)


@pytest.mark.parametrize("missing", ["trunk", "head"])
def test_one_part_alone_is_no_cut_nor_are_parts_that_are_no_modules(missing: str) -> None:
    own = Own()
    delattr(own, missing)
    with pytest.raises(UnsupportedArchitecture, match="trunk and head"):
        split(own)
    setattr(own, missing, "a name")
    with pytest.raises(UnsupportedArchitecture, match="trunk and head"):
        split(own)


def test_a_network_of_an_unknown_family_has_no_cut_but_layers() -> None:
    for unknown in (nn.Linear(3, 3), Plain()):
        kind = type(unknown).__name__
        with pytest.raises(UnsupportedArchitecture, match=f"{kind}.*Name a layer.*trunk and head"):
            split(unknown)
        with pytest.raises(UnsupportedArchitecture, match=kind):
            cut_at(unknown)
    assert isinstance(cut_at(Plain(), "features"), Captured)
    with pytest.raises(UnsupportedArchitecture, match=r"Plain has no layer 'feature'.*features"):
        cut_at(Plain(), "feature")


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package offers two networks."""
    points = [
        EntryPoint(name, f"{__name__}:{kind}", module.ENTRY_POINTS)
        for name, kind in {"two-part": "Own", "gone": "Gone"}.items()
    ]

    def entry_points(*, group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr(module, "entry_points", entry_points)


@pytest.mark.usefixtures("offered")
def test_networks_of_installed_packages_are_built_by_name() -> None:
    assert set(module.own_architectures()) == {"two-part", "gone"}
    bare = build("two-part", 7)
    assert type(bare).__name__ == "Own"
    assert not any(p.is_meta for p in bare.parameters()), "it may compute with what it holds"
    assert not bare.training
    drawn = build("two-part", 7, initialise=True)
    assert drawn.head[2].weight.shape == (7, 5)
    assert not any(p.is_meta for p in drawn.parameters())
    assert isinstance(cut_at(drawn), Split)
    assert type(build("resnet18", 2)).__name__ == "ResNet", "torchvision's are there as well"


@pytest.mark.usefixtures("offered")
def test_a_network_that_its_package_does_not_have_is_not_taken_for_another() -> None:
    with pytest.raises(AttributeError, match="Gone"):
        build("gone", 7)


def test_a_name_that_nobody_offers_is_refused_with_the_way_to_offer_it() -> None:
    with pytest.raises(UnsupportedArchitecture, match=r"'two-part'.*geogaze\.architectures"):
        build("two-part", 7)
