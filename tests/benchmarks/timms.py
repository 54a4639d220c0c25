"""timm's networks as people bring them: by entry points of their own, and by timm's name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from torch import nn

from tests.benchmarks.brought import Brought
from tests.benchmarks.plain import Places, as_they_are, last_channels, patches

TIMM: dict[str, str | None] = {
    "resnet10t": "layer4",
    "resnet26d": "layer4",
    "mobilenetv3_small_050": "blocks",
    "efficientnet_lite0": "bn2",
    "convnext_atto": "stages",
    "convnextv2_atto": "stages.3",
    "ghostnet_100": "blocks",
    "tinynet_e": "bn2",
    "edgenext_xx_small": "stages",
    "mambaout_femto": "stages",
    "test_nfnet": "final_act",
    "test_byobnet": "stages",
    "rexnet_100": "features",
    "poolformer_s12": "stages",
    "hardcorenas_a": "blocks",
    "dla46_c": None,
    "mobilevit_xxs": "final_conv",
    "coatnet_nano_rw_224": "stages",
    "test_maxvit": "stages",
    "efficientvit_b0": "stages",
    "swin_tiny_patch4_window7_224": "norm",
    "vit_tiny_patch16_224": "norm",
    "deit_tiny_distilled_patch16_224": None,
    "hiera_tiny_224": "blocks",
    "xcit_nano_12_p16_224": "norm",
    "mixer_s32_224": None,
    "cait_xxs24_224": "blocks",
    "test_vit": None,
    "levit_128s": "stages",
    "repvgg_a0": "stages",
}
"""timm's by name, and the layer that is named; None for the one that the door proposes."""
TOKENS = {"deit_tiny_distilled_patch16_224", "mixer_s32_224", "test_vit"}
"""Of these, such whose proposed layer gives tokens."""


def timms() -> Iterator[Brought]:
    """timm's, where it is installed: offered as networks of one's own."""
    try:
        import timm
    except ImportError:
        return
    for name, layer in TIMM.items():

        def make(classes: int, name: str = name) -> nn.Module:
            return timm.create_model(name, num_classes=classes)

        size = 160 if name.startswith("test_") else 224
        places = patches if name in TOKENS else as_they_are
        yield Brought(
            f"timm {name}",
            make=make,
            layer=layer,
            size=size,
            proposed=layer is None,
            places=places,
        )


BY_NAME: dict[str, tuple[int, Places]] = {
    "resnet18": (128, as_they_are),
    "mobilenetv3_small_050": (224, as_they_are),
    "convnext_atto": (128, as_they_are),
    "test_maxvit": (160, as_they_are),
    "swin_tiny_patch4_window7_224": (224, last_channels),
    "hiera_tiny_224": (224, patches),
    "vit_small_patch16_dinov3": (256, patches),
    "test_vit": (160, patches),
    "test_vit3": (160, patches),
    "vit_tiny_patch16_224": (224, patches),
    "deit3_small_patch16_224": (224, patches),
    "deit_tiny_distilled_patch16_224": (224, patches),
}
"""timm's by ``--arch timm:NAME``: pixels, and how their features lie."""


def timms_by_name() -> Iterator[Brought]:
    """timm's, where it is installed, without an entry point and without a layer."""
    if find_spec("timm") is not None:
        for name, (size, places) in BY_NAME.items():
            yield Brought(f"timm:{name}", arch=f"timm:{name}", size=size, places=places)
