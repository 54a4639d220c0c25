"""Parquet files as pyarrow reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geogaze.products.make.parquet import Column, Kind, ParquetWriter, Values, with_lengths
from geogaze.products.make.thrift import Long, struct, varint


def texts(values: list[str | None]) -> Values:
    known = [value.encode() for value in values if value is not None]
    return Values(b"".join(with_lengths(known)), np.array([v is not None for v in values]))


def test_row_groups_come_back_as_they_were_written(tmp_path: Path) -> None:
    columns = [
        Column("n", Kind.INT32),
        Column("said", Kind.TEXT, gaps=True),
        Column("x", Kind.BYTES),
    ]
    groups: list[list[str | None]] = [["ä", None, ""], [None], [f"{i}" for i in range(20)]]
    with ParquetWriter(tmp_path / "t.parquet", columns) as file:
        for said in groups:
            numbers = np.arange(len(said), dtype=np.int32) - 1
            blobs = Values(b"".join(with_lengths([b"\0\xff"] * len(said))))
            file.add(len(said), {"n": Values(numbers), "said": texts(said), "x": blobs})
        file.say({"note": "a", "other": "b"})
        file.say({"note": "c"})
    read = pq.ParquetFile(tmp_path / "t.parquet")
    assert [read.read_row_group(i).column("said").to_pylist() for i in range(3)] == groups
    whole = read.read()
    assert whole.column("n").to_pylist()[:5] == [-1, 0, 1, -1, -1]
    assert whole.column("x").to_pylist() == [b"\0\xff"] * 24
    assert read.metadata.metadata == {b"note": b"c", b"other": b"b"}
    assert [field.nullable for field in read.schema_arrow] == [False, True, False]
    first = read.metadata.row_group(1)
    assert first.total_byte_size == sum(first.column(i).total_uncompressed_size for i in range(3))


def test_many_columns_and_no_rows(tmp_path: Path) -> None:
    columns = [Column(f"c{i}", Kind.FLOAT) for i in range(300)]
    with ParquetWriter(tmp_path / "t.parquet", columns):
        pass
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.num_rows == 0
    assert read.column_names == [column.name for column in columns]


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_both_zeros_lie_between_the_lowest_and_the_highest(tmp_path: Path, value: float) -> None:
    zeros = Values(np.array([value], dtype=np.float32))
    with ParquetWriter(tmp_path / "t.parquet", [Column("x", Kind.FLOAT)]) as file:
        file.add(1, {"x": zeros})
    told = pq.read_metadata(tmp_path / "t.parquet").row_group(0).column(0).statistics
    assert (np.signbit(told.min), np.signbit(told.max)) == (True, False)


def test_a_file_whose_writing_failed_is_none(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        ParquetWriter(tmp_path / "t.parquet", [Column("x", Kind.FLOAT)]),
    ):
        raise ZeroDivisionError
    assert not (tmp_path / "t.parquet").read_bytes().endswith(b"PAR1" * 2)
    with pytest.raises(Exception, match=r"[Pp]arquet"):
        pq.read_metadata(tmp_path / "t.parquet")


@given(st.lists(st.none() | st.floats(allow_nan=False, width=32), min_size=1, max_size=100))
def test_gaps_are_where_they_were(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None]
) -> None:
    target = tmp_path_factory.mktemp("gaps") / "t.parquet"
    known = np.array([v for v in values if v is not None], dtype=np.float32)
    there = np.array([v is not None for v in values])
    with ParquetWriter(target, [Column("x", Kind.FLOAT, gaps=True)]) as file:
        file.add(len(values), {"x": Values(known, there)})
    assert pq.read_table(target).column("x").to_pylist() == values


def test_thrift_writes_what_its_specification_says() -> None:
    assert [varint(n).hex() for n in (0, 1, 127, 128, 300)] == ["00", "01", "7f", "8001", "ac02"]
    assert struct({1: -1, 3: Long(1), 4: b"ab", 5: [1, 2], 6: {}}).hex() == (
        "1501260218026162192502041c0000"
    )
    assert struct({1: [1] * 15}).hex() == "19f50f" + "02" * 15 + "00"
    with pytest.raises(ValueError, match="too far"):
        struct({16: 1})
