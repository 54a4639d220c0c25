"""What a job took, in hours and money."""

from __future__ import annotations

import pytest

from geogaze.config import Settings
from geogaze.ledger.spending import Spent
from geogaze.processes.bill import Bill

SPENT = [
    Spent("explain", "NVIDIA H200", 400, 1800.0, 1800.0 * 16),
    Spent("draw", "cpu", 0, 900.0, 900.0 * 4),
]


def test_a_bill_by_hand() -> None:
    prices = {"price_core_hour": 0.05, "price_gpu_hour": 3.0, "price_gb_month": 0.02}
    month = 365.25 / 12 * 86400
    bill = Bill.of(SPENT, 5e9, Settings(retention=2 * month, currency="EUR", **prices))
    assert bill.worker_seconds == 2700
    assert bill.core_hours == 8 + 1
    assert bill.gpu_hours == 0.5, "a CPU is no GPU"
    assert bill.cost == pytest.approx(9 * 0.05 + 0.5 * 3 + 5 * 2 * 0.02)
    assert bill.currency == "EUR"
    assert bill.words == "9 core hours, 0.5 GPU hours, 2.15 EUR"


def test_without_prices_no_money_is_told() -> None:
    bill = Bill.of(SPENT[1:], 5e9, Settings())
    assert bill.cost is bill.currency is None
    assert bill.words == "1 core hours"
    assert "cost" not in bill.model_dump(exclude_none=True)
