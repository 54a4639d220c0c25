"""Where the same network would look had it learned nothing (Adebayo et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from torch import nn

from geogaze.audit.balance import Floats
from geogaze.audit.edits import Picture
from geogaze.evidence.prepare import quicken
from geogaze.evidence.routes import explain
from geogaze.models.bundles import Bundle
from geogaze.models.targets import Target
from geogaze.networks.cuts import cut_at
from geogaze.networks.loading import load_model
from geogaze.networks.split import Split

_AT_ONCE = 16


class Randomised:
    """A bundle's network with weights drawn anew.

    Args:
        bundle: the model.
        seed: of the weights.
    """

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self._bundle = bundle
        network = load_model(bundle)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network.apply(_drawn_anew)
        cut = cut_at(network.eval(), bundle.module)
        self._cut = quicken(cut) if isinstance(cut, Split) else cut

    def evidence(self, pictures: Iterable[Picture], target: Target) -> Floats:
        """Signed evidence (n, g, g) of pictures (bands, T, T) in 0..1. Random weights have no zero
        of their own: it is to be read against its mean over a scene.
        """
        mean, std = (
            np.array(values, dtype=np.float32)[:, None, None]
            for values in (self._bundle.mean, self._bundle.std)
        )
        found, waiting = [], iter(pictures)
        while batch := list(islice(waiting, _AT_ONCE)):
            images = torch.from_numpy((np.stack(batch) - mean) / std)
            found.append(explain(self._cut, images, [target]).evidence[:, 0])
        return np.asarray(torch.cat(found).numpy().astype(np.float64))


def _drawn_anew(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
