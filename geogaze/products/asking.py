"""What is asked of the table of products: whether it is whole, and which need overlays. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geogaze.doors import resolve
from geogaze.models.bundles import Probabilities
from geogaze.models.targets import Target
from geogaze.products.styles import Normalize, Overlays
from geogaze.products.table import all_products, product_named


@dataclass(frozen=True)
class _Without:
    """A job of layers that draws overlays, or does not."""

    overlays: Overlays
    layers: tuple[str, ...] = ()
    stability: int | None = None
    targets: tuple[Target, ...] | None = ()
    normalize: Normalize = "job"
    probabilities: Probabilities = "softmax"
    tiles: int = 0


def needs_overlays(name: str) -> bool:
    """Whether a product, or a kind of them, is made only where overlays are drawn."""
    try:
        product, _ = product_named(name)
    except LookupError:
        return False  # it is refused later, with what there is
    return product.when(_Without(overlays="all")) and not product.when(_Without(overlays="none"))


def check_products(phases: Iterable[str]) -> None:
    """Import whatever makes and describes products, before there is any work.

    Args:
        phases: the names of those that make products.

    Raises:
        LookupError: a part of a product is missing, or no phase makes it.
    """
    known = set(phases)
    for product in all_products():
        if product.phase not in known:
            raise LookupError(
                f"Product {product.name!r} is made in the phase {product.phase!r}; there are "
                f"{', '.join(sorted(known))}."
            )
        for reference in filter(None, (product.make, product.describe)):
            resolve(reference)
