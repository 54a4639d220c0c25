"""What geogaze knows of a model without loading it.

Planning (and so the API, which has no torch) needs only this description; weights are loaded by
:mod:`geogaze.networks.loading`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from geogaze.files import one_file
from geogaze.models.proof import Proof

Probabilities = Literal["softmax", "sigmoid", "none"]
"""How logits become probabilities: of classes of which one is right, of classes that are right each
by itself, or not at all.
"""

Rule = Literal["softmax", "sigmoid", "none", "shares"]
"""What is said of classes in a tile: probabilities by one of those rules, or the share of its
pixels that each is predicted on, by networks that label pixels.
"""

Ranges = tuple[tuple[float, float], ...]
"""Of each band, the values (low, high) that become 0 and 1."""

ITEM_FILE = "item.json"
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "model.onnx"
EVALUATION_FILE = "evaluation.json"

RESERVED_CLASSES = frozenset({"all", "top"})


class Bundle(BaseModel):
    """A model and all that is needed to use it right.

    ``stride`` and ``first_center`` are pixels of the model's input: activation ``i`` looks at a
    window centred on pixel ``first_center + i * stride``. ``cells`` is the side of the activation
    grid for one input of ``input_size`` pixels. ``halo`` is how far the module looks beyond a
    tile, in pixels, a multiple of ``stride``; None where it looks at the whole input or is inside
    the network, so that tiles cannot share its activations. ``probabilities`` says how logits
    become such. ``mean`` and ``std`` are of values in 0..1; ``rescale`` says which of a scene's
    values become 0 and 1 where nobody says otherwise. ``stripped`` is the module that made
    probabilities of logits, which is left out. ``labels_pixels`` says that the network labels each
    pixel, not an image, ``probabilities`` by which rule. Logits are divided by ``temperature``
    before they become probabilities, and nowhere else: scores and evidence are as the network has
    them. ``features`` is the length of what the
    network says of an image where classes are texts that this is compared with. ``proof`` is what
    the graph gives for a known image.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    name: str
    architecture: str
    classes: tuple[str, ...] = Field(min_length=1)
    bands: tuple[str, ...] = ("red", "green", "blue")
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int = Field(gt=0)
    gsd: float | None = Field(default=None, gt=0, description="metres per pixel of training")
    module: str = Field(alias="layer", description="the network's module that is looked at")
    stride: int = Field(gt=0)
    first_center: float
    cells: int = Field(gt=0)
    halo: int | None = Field(default=None, gt=0)
    probabilities: Probabilities = "softmax"
    temperature: float = Field(default=1, gt=0, allow_inf_nan=False)
    rescale: Ranges | None = None
    stripped: str | None = None
    labels_pixels: bool = False
    features: int | None = Field(default=None, gt=0)
    weights: str = Field(description="sha256:HEX of model.safetensors, or torchvision:FILE")
    graph: str | None = Field(default=None, description="sha256:HEX of model.onnx, if there is one")
    proof: Proof | None = Field(default=None, exclude=True)
    folder: Path | None = None

    @property
    def rule(self) -> Rule:
        """What is said of classes in a tile."""
        shares = self.labels_pixels and self.probabilities != "none"
        return "shares" if shares else self.probabilities

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError("bands, mean and std differ in length")
        if not all(deviation > 0 for deviation in self.std):
            raise ValueError("std is above 0")
        if self.rescale is not None:
            if len(self.rescale) != len(self.bands):
                raise ValueError("bands and rescale differ in length")
            if not all(low < high for low, high in self.rescale):
                raise ValueError("a range of rescale is empty or reversed")
        check_classes(self.classes)
        return self


def check_classes(names: tuple[str, ...]) -> None:
    """Refuse class names that could not be told apart, by name or by file.

    Raises:
        ValueError: says which.
    """
    if len(set(names)) != len(names):
        name, times = Counter(names).most_common(1)[0]
        raise ValueError(f"class names repeat: {times} of them are {name!r}")
    if alike := one_file(names):
        told = ", ".join(map(repr, alike))
        raise ValueError(f"{told} are too alike to name files after them: rename all but one")
    if taken := RESERVED_CLASSES & set(names):
        raise ValueError(f"class names {sorted(taken)} are reserved")
