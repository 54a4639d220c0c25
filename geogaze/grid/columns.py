"""Tables in memory: frozen dataclasses whose fields are arrays of one length. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Columns:
    """Arrays with one entry for each row."""

    @classmethod
    def joined(cls, several: list[Self]) -> Self:
        """All rows of at least one table, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(one, n) for one in several]) for n in names})

    def only(self, which: NDArray[Any]) -> Self:
        """Some rows: flags, or positions in the order wanted."""
        return type(self)(**{name: values[which] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))
