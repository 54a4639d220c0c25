"""The catalogue: who is found by place, time and filter, page by page."""

from __future__ import annotations

from uuid import UUID

import pytest
import shapely
from shapely.geometry import mapping
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from geogaze.ledger.catalogue import QUERYABLES, Layer, NewEntry, Search
from geogaze.ledger.claims import Claims
from geogaze.ledger.collection import Collection
from geogaze.ledger.store import Ledger
from geogaze.ledger.tables import Entry, EntryLayer, Job
from tests.unit.ledger.suite import OnSqlite, Suite, submission, submit

NEAR = shapely.box(2.0, 48.0, 2.2, 48.2)
LEAN = shapely.Polygon([(10, 50), (12, 52), (10, 52)])  # half of its box
ACROSS = shapely.MultiPolygon([shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)])
BOXES = {ACROSS: (179.0, -18.0, -179.0, -16.0)}


def entered(
    ledger: Ledger,
    when: float = 100.0,
    area: shapely.Geometry | None = NEAR,
    model: str = "tiny",
    layers: tuple[Layer, ...] = (Layer("boat", 0.9, 7), Layer("road", None, None)),
    tenant: str = "default",
) -> UUID:
    """A finished job in the catalogue."""
    job = ledger.submit(submission(tenant=tenant))
    with Session(ledger.database) as session, session.begin():
        session.execute(update(Job).where(Job.id == job).values(state="successful"))
    bbox = None if area is None else BOXES.get(area, area.bounds)
    place = None if area is None else mapping(area)
    ledger.catalogue.enter(NewEntry(job, when, model, bbox, place, layers))
    return job


def found(ledger: Ledger, limit: int = 50, **wanted: object) -> list[UUID]:
    return [job for job, _ in ledger.catalogue.search(Search(limit, **wanted)).jobs]  # type: ignore[arg-type]


class CatalogueSuite(Suite):
    def test_finished_jobs_wait_to_be_entered(self, ledger: Ledger, claims: Claims) -> None:
        job, other = submit(ledger), submit(ledger)
        assert ledger.catalogue.missing() == []
        self.finish(ledger, claims)
        assert {one for one, _ in ledger.catalogue.missing()} == {job, other}
        ledger.catalogue.enter(NewEntry(job, 1.0))
        ledger.catalogue.enter(NewEntry(job, 2.0))  # somebody else was quicker
        assert [one for one, _ in ledger.catalogue.missing()] == [other]
        ledger.catalogue.enter(NewEntry(other))  # has no Item
        assert ledger.catalogue.missing() == []
        assert found(ledger) == [job]
        assert found(ledger, since=2.0) == []

    def test_pages_follow_one_another_newest_first(self, ledger: Ledger) -> None:
        jobs = [entered(ledger, when) for when in (10.0, 30.0, 20.0, 20.0, 40.0)]
        same = sorted(jobs[2:4], reverse=True)
        order = [jobs[4], jobs[1], *same, jobs[0]]
        for shape in (None, NEAR):
            after, seen = None, []
            for _ in range(3):
                page = ledger.catalogue.search(Search(2, shape=shape, after=after))
                assert page.matched == 5
                seen += [job for job, _ in page.jobs]
                after = page.next
            assert after is None
            assert seen == order

    def test_times_are_included_at_both_ends(self, ledger: Ledger) -> None:
        jobs = [entered(ledger, when) for when in (10.5, 20.0, 30.0)]
        assert found(ledger, since=10.5, until=20.0) == [jobs[1], jobs[0]]
        assert found(ledger, since=20.0, until=20.0) == [jobs[1]]
        assert found(ledger, until=10.4) == []

    def test_places_meet_truly_and_not_only_in_their_boxes(self, ledger: Ledger) -> None:
        lean, nowhere = entered(ledger, area=LEAN), entered(ledger, area=None)
        across = entered(ledger, area=ACROSS)
        assert found(ledger, shape=shapely.box(9, 51.5, 10.5, 53)) == [lean]
        assert found(ledger, shape=shapely.Point(11.9, 50.1)) == [], "in its box alone"
        for lon in (179.5, -179.5):
            assert found(ledger, shape=shapely.Point(lon, -17)) == [across]
        assert found(ledger, shape=shapely.Point(0, -17)) == []
        assert set(found(ledger)) == {lean, nowhere, across}
        assert ledger.catalogue.extent("explain").bbox == (-180, -18, 180, 52)

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("model = 'tiny'", [0, 2]),
            ("model LIKE 'Ti%'", []),
            ("CASEI(model) LIKE CASEI('TI%')", [0, 2]),
            ("CASEI(class) = CASEI('KAJ')", [1]),
            ("class = 'boat' AND probability >= 0.9", [0]),
            ("class = 'road' AND probability >= 0.9", []),
            ("class = 'boat' AND tiles < 8 AND model = 'tiny'", [0]),
            ("probability IS NULL", [0, 2]),
            ("class IN ('kaj', 'ship')", [1]),
            ("NOT (model = 'tiny')", [1]),
            ("datetime > TIMESTAMP('1970-01-01T00:00:10Z')", [1, 2]),
            ("collection = 'explain'", [0, 1, 2]),
            ("collection <> 'explain'", []),
            ("id = 'none'", []),
        ],
    )
    def test_filters(self, ledger: Ledger, text: str, numbers: list[int]) -> None:
        jobs = [
            entered(ledger, 10.0),
            entered(ledger, 20.0, model="large", layers=(Layer("kaj", 0.5, 1),)),
            entered(ledger, 30.0, layers=()),
        ]
        condition = QUERYABLES.condition(text, "cql2-text")
        assert sorted(found(ledger, condition=condition)) == sorted(jobs[i] for i in numbers)
        by_id = QUERYABLES.condition(f"id = '{jobs[1]}' AND ({text})", "cql2-text")
        assert found(ledger, condition=by_id) == [jobs[1]] * (1 in numbers)

    def test_each_tenant_has_a_catalogue_of_its_own(self, ledger: Ledger, claims: Claims) -> None:
        ours, theirs = entered(ledger, tenant="ours"), entered(ledger, 7.0, tenant="theirs")
        assert found(ledger.of("ours")) == [ours]
        assert found(ledger.of("ours"), jobs=[theirs]) == []
        assert ledger.of("theirs").catalogue.extent("explain").until == 7.0
        waiting = ledger.submit(submission(tenant="theirs"))
        self.finish(ledger, claims)
        assert ledger.of("ours").catalogue.missing() == []
        assert [job for job, _ in ledger.of("theirs").catalogue.missing()] == [waiting]

    def test_what_is_gone_is_not_entered(self, ledger: Ledger) -> None:
        ledger.catalogue.enter(NewEntry(UUID(int=5), 1.0))
        assert found(ledger) == []

    def test_dismissed_jobs_leave(self, ledger: Ledger) -> None:
        job = entered(ledger)
        ledger.dismiss(job)
        assert found(ledger) == []
        assert ledger.catalogue.extent("explain").bbox is None
        Collection(ledger.database).released(job)
        with Session(ledger.database) as session:
            for table in (Entry, EntryLayer):
                assert session.scalar(select(func.count()).select_from(table)) == 0


class TestCatalogue(OnSqlite, CatalogueSuite):
    pass
