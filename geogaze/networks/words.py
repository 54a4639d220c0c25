"""Networks that compare images with texts, as CLIP does: any text is a class.

An image's features f and a text's t, both normalised, give the score scale · cos(f, t). That is a
linear layer of normalised features, whose rows are the texts. Normalising is differentiated with
all that comes before it, so that evidence is of the score itself, not of f · t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.networks.captured import Captured
from geogaze.networks.class_token import ClassTokenHead
from geogaze.networks.logits import logits_of
from geogaze.networks.split import Split

INSIDE = "network."
"""What goes before the names of the image network's modules."""


class Texts(NamedTuple):
    """Embeddings (K, D) of texts, and their names where the file has them."""

    embeddings: Tensor
    names: tuple[str, ...] | None

    @property
    def features(self) -> int:
        """D."""
        return self.embeddings.shape[1]

    def behind(self, network: nn.Module, scale: float) -> Worded:
        """An image network that gives features, and these texts; scores are ``scale`` cosines."""
        worded = Worded(network, *self.embeddings.shape)
        rows = scale * F.normalize(self.embeddings, dim=1)
        worded.words.weight = nn.Parameter(rows, requires_grad=False)
        return worded


class Normalised(nn.Module):
    """Features (B, D) of length 1."""

    def forward(self, features: Tensor) -> Tensor:
        """Each image's features over their length."""
        return F.normalize(features, dim=1)


class Worded(nn.Module):
    """An image network and texts: images to scores (B, K).

    Args:
        network: images to features (B, D).
        texts: K, how many.
        features: D.
    """

    def __init__(self, network: nn.Module, texts: int, features: int) -> None:
        super().__init__()
        self.network = network
        self.length, self.words = Normalised(), nn.Linear(features, texts, bias=False)
        self.eval().requires_grad_(False)

    @property
    def beside(self) -> Mapping[str, str] | None:
        """What is stored beside the weights of the image network."""
        found: Mapping[str, str] | None = getattr(self.network, "beside", None)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, K)."""
        features = logits_of(self.network(images), len(images))
        if features.shape[1] != self.words.in_features:
            raise UnsupportedArchitecture(
                f"The network gives {features.shape[1]} features of an image, but the texts have "
                f"{self.words.in_features}: embed them by the text network of the same model."
            )
        scores: Tensor = self.words(self.length(features))
        return scores

    def cut(self, inner: Split | Captured) -> Split | Captured:
        """The whole, cut where its image network is."""
        if isinstance(inner, Captured):
            return Captured(self, f"{INSIDE}{inner.module}", inner.as_maps)
        blocks = inner.blocks
        if blocks:
            blocks = replace(blocks, heads=[self._behind(head) for head in blocks.heads])
        head = blocks.heads[-1] if blocks else self._behind(inner.head)
        return replace(inner, head=head, blocks=blocks, module=f"{INSIDE}{inner.module}")

    def _behind(self, head: nn.Module) -> Any:
        """A head of the image network, and the comparison behind it."""
        if not isinstance(head, ClassTokenHead):
            return nn.Sequential(head, self.length, self.words)
        classifier = nn.Sequential(head.classifier, self.length, self.words)
        projections = head.weight, head.bias
        return ClassTokenHead(
            head.norm, projections, head.heads, head.mix, head.feed, classifier
        ).eval()


def read_texts(path: Path) -> Texts:
    """Embeddings of texts: ``.npy`` (K, D), or ``.safetensors`` of one such tensor, or of a vector
    (D) for each text by its name.

    Raises:
        InvalidRequest: the file cannot be read, or holds something else.
    """
    try:
        if path.suffix == ".npy":
            held = {"": torch.from_numpy(np.load(path, allow_pickle=False))}
        else:
            held = load_file(path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, SafetensorError) as error:
        raise InvalidRequest(f"{path} is neither .npy nor .safetensors of numbers.") from error
    names = None
    tables = [value for value in held.values() if value.ndim == 2]
    if len(tables) == len(held) == 1:
        found = tables[0]
    elif (
        path.suffix != ".npy"
        and held
        and len({value.shape for value in held.values()}) == 1
        and not tables
    ):
        names, found = tuple(held), torch.stack(list(held.values()))
    else:
        found = torch.empty(0)
    if found.ndim != 2 or 0 in found.shape:
        raise InvalidRequest(
            f"{path} holds no embeddings: save a table (texts, features), or in .safetensors a "
            "vector of features for each text by its name."
        )
    found = found.float()
    if not bool(found.isfinite().all()) or not bool(found.norm(dim=1).gt(0).all()):
        raise InvalidRequest(f"{path} holds embeddings that are no numbers, or all 0.")
    return Texts(found, names)
