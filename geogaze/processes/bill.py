"""What a job takes of machines and what that costs, foreseen or spent alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from operator import mul

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from geogaze.config import Settings
from geogaze.ledger.spending import Spent

_HOUR = 3600.0
_MONTH = 365.25 / 12 * 86400.0
_GB = 1e9


class Bill(BaseModel):
    """What a job takes of workers, and what that and keeping its products costs."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    worker_seconds: float = Field(description="Seconds of workers, all of them together.")
    core_hours: float = Field(description="Hours of processor cores of these workers.")
    gpu_hours: float = Field(description="Hours of GPUs.")
    cost: float | None = Field(
        default=None, description="At this server's prices; left out where it has none."
    )
    currency: str | None = Field(default=None, description="Of the cost.")

    @property
    def words(self) -> str:
        """In a line, for people."""
        told = [f"{self.core_hours:,.3g} core hours"]
        told += [f"{self.gpu_hours:,.3g} GPU hours"] if self.gpu_hours else []
        told += [f"{self.cost:,.4g} {self.currency}"] if self.cost is not None else []
        return ", ".join(told)

    @classmethod
    def of(cls, spent: Iterable[Spent], stored: float, settings: Settings) -> Bill:
        """The bill of a job.

        Args:
            spent: on its phases.
            stored: bytes of its products, kept as long as the settings say.
            settings: with the prices.
        """
        spent = list(spent)
        cores = sum(one.core_seconds for one in spent) / _HOUR
        gpus = sum(one.gpu_seconds for one in spent) / _HOUR
        kept = stored / _GB * settings.retention / _MONTH
        prices = (settings.price_core_hour, settings.price_gpu_hour, settings.price_gb_month)
        priced = any(prices)
        return cls(
            worker_seconds=sum(one.seconds for one in spent),
            core_hours=cores,
            gpu_hours=gpus,
            cost=sum(map(mul, prices, (cores, gpus, kept))) if priced else None,
            currency=settings.currency if priced else None,
        )
