"""Training a classifier on labelled chips: :func:`train` by a :class:`Recipe`."""

from geogaze.networks.training.making import train
from geogaze.networks.training.recipe import Recipe

__all__ = ["Recipe", "train"]
