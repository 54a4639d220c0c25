"""Parts of peculiar networks: layers of trunks and poolings of heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Slices(nn.Module):
    """Takes every second row and column, as focus and space-to-depth layers do."""

    def forward(self, maps: Tensor) -> Tensor:
        parts = [maps[:, :, row::2, col::2] for row in (0, 1) for col in (0, 1)]
        return torch.cat(parts, 1)


class Enlarges(nn.Module):
    """Twice as large, by nearest neighbours or between them."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, maps: Tensor) -> Tensor:
        return F.interpolate(maps, scale_factor=2, mode=self.mode)


class Blurs(nn.Module):
    """Convolves with a kernel that is no weight, at stride 2, as blur pooling does."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("kernel", (row[:, None] * row / 16).repeat(channels, 1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        padded = F.pad(maps, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.kernel, stride=2, groups=maps.shape[1])


class Fourier(nn.Module):
    """Weighs frequencies, so that all places see all."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(16, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(maps) * self.weight
        return torch.fft.irfft2(spectrum, s=maps.shape[2:])


class ShiftsBy(nn.Module):
    """Moves what it is given by so many cells."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.pad(maps, (2, -2, 2, -2))


class Cropped(nn.Module):
    """Leaves a border off."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps[:, :, 1:-1, 1:-1]


class Squeezing(nn.Module):
    """Squeeze and excitation by an einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 16)

    def forward(self, maps: Tensor) -> Tensor:
        gate = self.fc(torch.einsum("bchw->bc", maps) / maps[0, 0].numel()).sigmoid()
        return torch.einsum("bchw,bc->bchw", maps, gate)


class GeM(nn.Module):
    """Generalised mean pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(3.0))

    def forward(self, maps: Tensor) -> Tensor:
        return maps.clamp(min=1e-6).pow(self.p).mean((2, 3), keepdim=True).pow(1 / self.p)


class AttentionPooling(nn.Module):
    """A weight for each place, made of what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Conv2d(16, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        shares = self.score(maps).flatten(2).softmax(-1)
        return (maps.flatten(2) * shares).sum(-1)


class TwoPools(nn.Module):
    """Mean and maximum beside each other."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)


class Recurrent(nn.Module):
    """Reads the map row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(16, 16, batch_first=True)

    def forward(self, maps: Tensor) -> Tensor:
        _, last = self.cells(maps.flatten(2).transpose(1, 2))
        return last[0]


class Permute(nn.Module):
    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, values: Tensor) -> Tensor:
        return values.permute(self.order)


class Mean(nn.Module):
    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, values: Tensor) -> Tensor:
        return values.mean(self.axes)
