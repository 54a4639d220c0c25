"""Does the audit find biases that were planted, and cry wolf at networks that have none?

Small networks are trained by the project's own training on drawn chips, in which something goes
with a class (``geogaze demo --plant``), and audited on another scene of their own world: what their
maker has. What is planted is not always learnt, so the truth is the recall that a network loses
where the class comes without its cue. The verdict's thresholds are those of the package. Lines go
into ``--out`` as they come, and what is there is not done again.

Run: ``python -m tests.benchmarks.planted --seeds 3 --out planted.jsonl``, or ``make planted``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from geogaze.audit.auditing import Audit, audit
from geogaze.audit.kinds import Truth
from geogaze.config import Settings
from geogaze.demo.planted import CLASSES, draw_patchwork, write_chips, write_patchwork
from geogaze.demo.planting import CUES, Planting, parse_planting
from geogaze.evidence.admission import admit, check_stored
from geogaze.evidence.findings import Said
from geogaze.logs import configure_logging
from geogaze.models.bundles import Bundle
from geogaze.networks.architectures import offer
from geogaze.networks.loading import load_model
from geogaze.networks.training import Recipe, train
from geogaze.scene.chips import Wanted, chip_values
from tests.benchmarks.detection import summary

SIDE, GSD, SCENE = 64, 1.0, 2048
_ARCHITECTURE = "planted-small"
_AGAINST = 1_000_000  # seeds of scenes to look at what is lost elsewhere
_AUDITED = 2_000_000


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
    def targets(self) -> list[str]:
        """The classes to audit: the one with the cue; of a clean world all that have one else."""
        cue = self.planting.cue
        return [cue.target] if cue else sorted({one.target for one in CUES.values()})


def trained(
    world: World,
    folder: Path,
    settings: Settings,
    scenes: int = 3,
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
        batch_size=32,
        learning_rate=2e-3,
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
    return train(folder / "chips", folder / "bundle", recipe, lambda *_: None, read=read,
                 self_test=tried)  # fmt: skip


def pictures(planting: Planting, seed: int, name: str, size: int = SCENE) -> Tensor:
    """A world's plots of a class (n, 3, T, T), 0..1."""
    chips = draw_patchwork(size, seed, planting).chips(SIDE)
    found = [torch.from_numpy(picture) for shows, picture in chips if shows == name]
    return torch.stack(found).permute(0, 3, 1, 2) / 255


def _at_home(folder: Path) -> Tensor:
    """The chips of a folder, likewise."""
    found = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(folder.glob("*.png"))]
    return torch.stack([torch.from_numpy(one) for one in found]).permute(0, 3, 1, 2) / 255


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
    truth = Truth(str(scene), scene.with_suffix(".geojson"), {}, by="class")
    return audit(bundle, name, [truth], settings, tiles=48, seed=world.seed)


def lines(world: World, settings: Settings) -> Iterator[dict[str, Any]]:
    """Train a network in a world and say what its audits found, one line for each class."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bundle, accuracy = trained(world, folder, settings)
        for name in world.targets:
            own = recall(bundle, name, _at_home(folder / "chips" / "test" / name))
            kinds = [kind for kind, cue in CUES.items() if cue.target == name]
            if world.planting.kind:
                kinds = [world.planting.kind]
            elsewhere = {
                kind: recall(bundle, name, pictures(Planting(kind), _AGAINST + world.seed, name))
                for kind in kinds
            }
            found = audited(world, bundle, name, folder, settings)
            grounds, now = found.causal.grounds, time.process_time()
            yield {
                "plant": world.plant,
                "seed": world.seed,
                "class": name,
                "accuracy": accuracy,
                "recall": own,
                "recall_elsewhere": elsewhere,
                "lost": own - min(elsewhere.values()),
                "R": grounds.lost.value,
                "R_interval": (grounds.lost.low, grounds.lost.high),
                "R_filled": grounds.lost_filled.value,
                "control": grounds.control,
                "drop": grounds.drop,
                "rise": grounds.rise,
                "probes": grounds.probes,
                "verdict": found.verdict.kind.value,
                "forecast": found.causal.forecast.value,
                "forecast_by_logit": found.causal.rivals["logit"].value,
                "enrichment": found.placed.enrichment.value,
                "pointing": found.placed.pointing.value,
                "tiles": grounds.tiles,
                "cpu_seconds": now - began,
            }
            began = now


def main() -> None:
    """Train, audit, and say how often the audit was right."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10, help="of each kind and strength")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--clean", type=int, default=6, help="clean networks for each seed")
    parser.add_argument("--out", type=Path, default=Path("build/planted.jsonl"))
    parser.add_argument("--summary", action="store_true", help="only of the lines that are there")
    asked = parser.parse_args()
    configure_logging("error", "console")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in asked.out.open()] if asked.out.exists() else []
    done = {(line["plant"], line["seed"]) for line in known}
    settings = Settings()
    for seed in range(asked.first, 0 if asked.summary else asked.first + asked.seeds):
        worlds = []
        for number, strength in enumerate(("strong", "medium", "weak")):
            # Clean ones among them, whenever it is interrupted.
            clean = range(number, asked.clean, 3)
            worlds += [World("none", seed * asked.clean + one) for one in clean]
            worlds += [World(f"{kind}:{strength}", seed) for kind in CUES]
        for world in worlds:
            if (world.plant, world.seed) in done:
                continue
            found = list(lines(world, settings))
            with asked.out.open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in found)
            known += found
    print(json.dumps(summary(known), indent=2))


if __name__ == "__main__":
    main()
