"""Networks as people bring them: some are let in, some are refused. Small, with drawn weights."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Net(nn.Module):
    """A trunk of stride 8 and a head, which others change in one thing."""

    def __init__(self, classes: int = 3, bands: int = 3, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(bands, 8, 3, stride=2, padding=1),
            norm or nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=4, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes))

    def forward(self, images: Tensor) -> Any:
        return self.head(self.trunk(images))


class Between(Net):
    """Normalises between trunk and head."""

    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.normalize(self.trunk(images), dim=1))


class TrunkOfDicts(Net):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = Named(self.trunk)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images)["out"])


class Named(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.inner(images)}


class AsDict(Net):
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"loss": None, "logits": super().forward(images)}


class AsTuple(Net):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(images), images


class ModelOutput(NamedTuple):
    hidden: Tensor
    logits: Tensor


class AsObject(Net):
    def forward(self, images: Tensor) -> Any:
        return ModelOutput(images, super().forward(images))


class AsSegmentation(Net):
    """As torchvision's, but for whole images."""

    def forward(self, images: Tensor) -> Any:
        scores = super().forward(images)
        return OrderedDict(aux=scores * 0, out=scores)


class Squeezed(Net):
    """One logit for each image, without the axis of classes."""

    def __init__(self) -> None:
        super().__init__(classes=1)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).squeeze()


class Keywords(Net):
    """Convolutions called by keywords, weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = KeywordConvolution()


class KeywordConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 3, 3, 3))

    def forward(self, images: Tensor) -> Tensor:
        return F.conv2d(images, weight=self.weight, bias=None, stride=4, padding=1).relu()


class Transposed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.trunk.append(nn.ConvTranspose2d(16, 16, 2, stride=2))


class Attending(Net):
    """Attention over all places in the trunk, beside a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk.append(Attention())


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, maps: Tensor) -> Tensor:
        tokens = maps.flatten(2).transpose(1, 2)
        mixed, _ = self.mix(tokens, tokens, tokens, need_weights=False)
        return (tokens + mixed).transpose(1, 2).reshape(maps.shape)


class MetaHostile(Net):
    """Computes while it is built, with what is no part of its state."""

    def __init__(self) -> None:
        super().__init__()
        rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
        self.register_buffer("scale", torch.full((1, 3, 1, 1), 1 + rates[-1]), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images * self.scale))


class Scaled(MetaHostile):
    """The same, cut where it says."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk.insert(0, Times(self.scale))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))


class Times(nn.Module):
    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.scale


class Dropping(Net):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.dropout(self.trunk(images)))


class Ending(Net):
    """Probabilities by a module, the last one."""

    def __init__(self, last: nn.Module, classes: int = 3) -> None:
        super().__init__(classes)
        self.head.append(last)


class Function(Net):
    """Probabilities by a function."""

    def __init__(self, function: Any, classes: int = 3) -> None:
        super().__init__(classes)
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(super().forward(images))


class Pooled(Net):
    """Ends its trunk in so many cells, whatever the image."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.trunk.append(nn.AdaptiveAvgPool2d(cells))


class Twice(nn.Module):
    """Runs its layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.block = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        maps = self.block(self.block(maps).relu()).relu()
        return self.fc(maps.mean(dim=(2, 3)))


class Segmenting(nn.Module):
    """Labels pixels: an encoder of stride 8, a skip, logits of each class at the images' size."""

    def __init__(self, classes: int = 3, bands: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(bands, 8, 3, stride=2, padding=1)
        self.encoder = Net(bands=8).trunk[3:]
        self.encoder[0] = nn.Conv2d(8, 16, 3, stride=4, padding=1)
        self.fuse = nn.Conv2d(24, 16, 1)
        self.label = nn.Conv2d(16, classes, 1)

    def forward(self, images: Tensor) -> Any:
        early = self.stem(images).relu()
        late = F.interpolate(self.encoder(early), early.shape[2:], mode="bilinear")
        labels = self.label(self.fuse(torch.cat([early, late], dim=1)).relu())
        return F.interpolate(labels, images.shape[2:], mode="bilinear")


class Detecting(Net):
    """Finds boxes, as torchvision's detectors give them."""

    def forward(self, images: Tensor) -> Any:
        scores = super().forward(images)
        return [{"boxes": row.new_zeros(0, 4), "scores": row} for row in scores]


class Failing(Net):
    def forward(self, images: Tensor) -> Tensor:
        raise KeyError("a torch text\nof many lines")


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    """With statistics as training leaves them, and scores that differ between images."""
    torch.manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.Linear) and part.out_features < 10:
            nn.init.normal_(part.weight, std=1.0)
        if isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.out_channels < 10:
            nn.init.normal_(part.weight, std=1.0)
        if isinstance(part, nn.BatchNorm2d) and part.running_var is not None:
            part.running_var.uniform_(0.5, 1.5)
            part.running_mean.uniform_(-0.2, 0.2)
    return network.eval().requires_grad_(False)
