"""Drawn worlds with and without a bias, the small networks trained in them, and their audits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from geogaze.audit.auditing import Audit, audit
from geogaze.config import Settings
from geogaze.demo.planted import CLASSES, draw_patchwork, write_chips, write_patchwork
from geogaze.demo.planting import CUES, Planting, parse_planting
from geogaze.evidence.admission import admit, check_stored
from geogaze.evidence.findings import Said
from geogaze.models.bundles import Bundle
from geogaze.networks.architectures import offer
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe, train
from geogaze.processes.audit.planning import make_plan
from geogaze.processes.audit.request import AuditRequest
from geogaze.scene.chips import Wanted, chip_values

SIDE, GSD, SCENE = 64, 1.0, 2048
_ARCHITECTURE = "planted-small"
_AGAINST = 1_000_000  # seeds of scenes to look at what is lost elsewhere
_AUDITED = 2_000_000
_TILES = 64  # all that show a class in a scene


class Small(nn.Module):
    """Eight by eight cells of eight pixels; each sees most of the picture."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        sizes = [(3, 24, 2), (24, 48, 2), (48, 96, 2), (96, 96, 1), (96, 96, 1)]
        self.trunk = nn.Sequential(*(self._block(*one) for one in sizes))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, classes))

    @staticmethod
    def _block(before: int, after: int, stride: int) -> nn.Module:
        convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, 3, T, T)."""
        logits: Tensor = self.head(self.trunk(images))
        return logits


@dataclass(frozen=True)
class World:
    """What is planted, as ``geogaze demo`` takes it, and the seed of all that is drawn."""

    plant: str
    seed: int

    @property
    def planting(self) -> Planting:
        return parse_planting(self.plant)

    @property
    def kind(self) -> str:
        """Of the bias; ``none`` of a clean world."""
        return self.plant.partition(":")[0]

    @property
    def targets(self) -> list[str]:
        """The classes to audit: the one with the cue; of a clean world all that have one else."""
        cue = self.planting.cue
        return [cue.target] if cue else sorted({one.target for one in CUES.values()})

    def elsewhere(self, name: str) -> list[str]:
        """The kinds of cue that a class may be asked to do without."""
        if self.planting.kind:
            return [self.planting.kind]
        return [kind for kind, cue in CUES.items() if cue.target == name]


def trained(
    world: World,
    folder: Path,
    settings: Settings,
    scenes: int = 5,
    epochs: int = 8,
    tested: int = SCENE,
) -> tuple[Bundle, float]:
    """A network that knows this world alone, and its accuracy there, on a scene of a size."""
    for part, first, count, size in (("train", 0, scenes, SCENE), ("test", scenes, 1, tested)):
        for number in range(first, first + count):
            drawn = draw_patchwork(size, 100 * world.seed + number, world.planting)
            write_chips(drawn, folder / "chips" / part, SIDE)
    offer(_ARCHITECTURE, Small)
    recipe = Recipe(
        architecture=_ARCHITECTURE,
        init="random",
        epochs=epochs,
        warm_up_epochs=0,
        batch_size=24,
        learning_rate=1e-3,
        input_size=SIDE,
        gsd=GSD,
        seed=world.seed,
        workers=0,
    )
    said = partial(Said, bands=recipe.bands, input_size=SIDE, task=recipe.task)

    def tried(model: nn.Module, names: tuple[str, ...]) -> Any:
        found = admit(model, said(names))
        return found, partial(check_stored, found=found)

    read = partial(chip_values, wanted=Wanted(recipe.bands, scaled=True), mean=recipe.mean,
                   settings=settings)  # fmt: skip
    # Each chip is read once and not in every epoch: a fifth of the time.
    kept = lru_cache(maxsize=None)(read)
    return train(folder / "chips", folder / "bundle", recipe, lambda *_: None, read=kept,
                 self_test=tried)  # fmt: skip


def pictures(planting: Planting, seed: int, name: str, size: int = SCENE) -> Tensor:
    """A world's plots of a class (n, 3, T, T), 0..1."""
    chips = draw_patchwork(size, seed, planting).chips(SIDE)
    found = [torch.from_numpy(picture) for shows, picture in chips if shows == name]
    return torch.stack(found).permute(0, 3, 1, 2) / 255


def at_home(folder: Path) -> Tensor:
    """The chips of a folder, likewise."""
    found = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.glob("*.png"))]
    return torch.stack([torch.from_numpy(one) for one in found]).permute(0, 3, 1, 2) / 255


def against(world: World, kind: str, name: str) -> Tensor:
    """A class where a cue never goes with it, likewise: another draw than any world's own."""
    return pictures(Planting(kind), _AGAINST + world.seed, name)


def recall(bundle: Bundle, name: str, images: Tensor) -> float:
    """The share of pictures of a class that a network recognises."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (bundle.mean, bundle.std))
    with torch.no_grad():
        best = load_model(bundle)((images - mean) / std).argmax(dim=1)
    return float((best == CLASSES.index(name)).float().mean())


def audited(
    world: World, bundle: Bundle, name: str, folder: Path, settings: Settings, size: int = SCENE
) -> Audit:
    """The audit of a class on another scene of the network's own world."""
    scene = folder / f"{name}.tif"
    write_patchwork(scene, size, _AUDITED + world.seed, world.planting)
    inputs = {"scenes": [str(scene)], "truth": str(scene.with_suffix(".geojson")), "by": "class"}
    asked = {**inputs, "class": name, "model": str(bundle.folder)}
    request = AuditRequest.parse({**asked, "tiles": _TILES, "seed": world.seed})
    return audit(make_plan(request, settings, local=True), settings)
