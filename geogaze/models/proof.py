"""What a bundle's graph gives for one known image, so that whoever runs it can tell that it does.

A runtime may compute a graph wrongly without a word (OpenVINO 2026.4 did, where one square matrix
is multiplied both ways). No torch here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # the command line reads bundles' descriptions, and starts without NumPy
    import numpy as np
    from numpy.typing import NDArray

_AGREEMENT = 1e-3  # of the largest value; rounding makes some 1e-5, faults much more
_MULTIPLIER, _MODULUS = 2654435761, 2**32  # Knuth's, by which neighbours are far apart


class Proof(BaseModel):
    """Of one image: the ``logits``, of each class's ``evidence`` a weighted sum over its cells,
    whose weights tell places apart, and the evidence's largest magnitude, ``peak``.
    """

    model_config = ConfigDict(frozen=True)

    logits: tuple[float, ...]
    evidence: tuple[float, ...]
    peak: float

    @classmethod
    def of(cls, logits: NDArray[np.float32], evidence: NDArray[np.float32]) -> Proof:
        """Logits (1, classes) and evidence (1, classes, g, g) of :func:`known_image`."""
        import numpy as np

        cells = evidence[0].reshape(evidence.shape[1], -1).astype(np.float64)
        sums = cells @ _spread(cells.shape[1]) / np.sqrt(cells.shape[1])
        return cls(
            logits=tuple(map(float, logits[0])),
            evidence=tuple(map(float, sums)),
            peak=float(np.abs(evidence).max()),
        )

    def held_by(self, found: Proof) -> bool:
        """Whether another gave the same, but for rounding."""
        import numpy as np

        mine, theirs = (np.array([*one.logits, *one.evidence]) for one in (self, found))
        if len(mine) != len(theirs):
            return False
        each = [max(map(abs, self.logits)), self.peak]
        largest = np.repeat(each, [len(self.logits), len(self.evidence)])
        return bool((np.abs(mine - theirs) <= _AGREEMENT * largest).all())  # not where one is NaN


def known_image(bands: int, size: int) -> NDArray[np.float32]:
    """One image (1, bands, size, size) float32 of noise as normalised images have it, the same
    everywhere.
    """
    import numpy as np

    noise = _spread(bands * size * size) * np.sqrt(3)  # of variance 1
    return np.asarray(noise, dtype=np.float32).reshape(1, bands, size, size)


def _spread(count: int) -> NDArray[np.float64]:
    """Numbers in -1..1 that look drawn by chance."""
    import numpy as np

    whole = (np.arange(1, count + 1, dtype=np.uint64) * _MULTIPLIER) % _MODULUS
    return np.asarray(whole / (_MODULUS / 2) - 1)
