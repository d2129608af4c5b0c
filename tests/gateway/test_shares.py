"""Shares at the door: who floods it waits, and nobody else."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from ingest.gateway import collector as collecting
from ingest.gateway.collector import HeldBack, NotAcknowledged
from ingest.gateway.shares import Pool
from kernel.config.schema import Config, SourceConfig
from stormfold.embedded.servers import EmbeddedServers, HostProcess
from tests.conftest import Broker
from tests.gateway.conftest import GENIE_KEY, ROUTING_KEY, Running, Start

NOISY, QUIET = "/v1/sources/generic", "/v1/sources/quiet"


class TestPool:
    """The arithmetic alone."""

    def test_one_alone_takes_all_but_the_reserve(self) -> None:
        pool = Pool(800)
        one = pool.member("one")
        taken = 0
        while pool.take(one, 10):
            taken += 10
        assert taken == 700

    def test_a_newcomer_has_room_at_once_and_its_share_as_soon_as_there_is_any(self) -> None:
        pool = Pool(800)
        one, two = pool.member("one"), pool.member("two")
        while pool.take(one, 10):
            pass
        assert pool.take(two, 100)
        assert not pool.take(two, 10)
        pool.give(one, 10)
        # What comes free is for who has less than his share.
        assert not pool.take(one, 10)
        assert pool.take(two, 10)

    def test_two_who_want_everything_have_half_each(self) -> None:
        pool = Pool(800)
        members = [pool.member("one"), pool.member("two")]
        while pool.take(members[0], 10):
            pass
        for _ in range(1_000):
            if members[0].used:
                pool.give(members[0], 10)
            for member in (*members, *members):
                pool.take(member, 10)
        assert abs(members[0].used - members[1].used) <= 20

    def test_weights_count(self) -> None:
        pool = Pool(800)
        heavy, light = pool.member("heavy", weight=6), pool.member("light")
        pool.enter(heavy)
        pool.enter(light)
        assert (pool.share(heavy), pool.share(light)) == (600, 100)

    def test_many_sources_of_one_tenant_are_no_more_than_one_of_another(self) -> None:
        pool = Pool(800)
        many = [pool.member(f"s{n}", "loud") for n in range(7)]
        alone = pool.member("s0", "calm")
        for member in (*many, alone):
            pool.enter(member)
        assert pool.share(alone) == 350
        assert {pool.share(member) for member in many} == {50}

    def test_a_body_larger_than_its_share_is_taken_where_nothing_else_of_its_source_is(self) -> None:
        pool = Pool(800)
        crowd = [pool.member(f"s{n}") for n in range(100)]
        for member in crowd:
            assert pool.take(member, 7)
        assert pool.take(pool.member("late"), 90)
        assert not pool.take(crowd[0], 1)

    def test_all_comes_back(self) -> None:
        pool = Pool(800)
        members = [pool.member("a", "x"), pool.member("b", "x", 3), pool.member("c", "y")]
        given = [(member, size) for member in members for size in (1, 50, 120) if pool.take(member, size)]
        pool.member("a", "x", 9)
        for member, size in given:
            pool.give(member, size)
        assert pool.used == 0
        assert all(member.used == member.busy == 0 for member in members)
        # As before: alone again, in a pool that is empty.
        pool.enter(members[2])
        assert pool.share(members[2]) == 700


class _Host(HostProcess):
    """Servers of one test's own, which it takes down."""

    def close(self) -> None:
        self.stop()


@contextlib.asynccontextmanager
async def _flood(running: Running, size: int) -> AsyncIterator[list[int]]:
    """Far more requests of one source at once than the door has room for."""
    statuses: list[int] = []
    body = b'"' + b"x" * size + b'"'

    async def sender() -> None:
        while True:
            statuses.append((await running.post(NOISY, body))[0])

    tasks = [asyncio.create_task(sender()) for _ in range(64)]
    try:
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_the_noisy_source_is_refused_and_its_neighbour_is_not(
    broker: Broker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less room, so that few requests fill it; the broker takes what it is given.
    monkeypatch.setattr(collecting, "MAX_UNACKNOWLEDGED", 160_000)
    monkeypatch.setattr(collecting, "MAX_HELD", 160_000)
    running = await start(broker)
    running.holder["config"] = Config(sources={"generic": SourceConfig(), "quiet": SourceConfig()})
    running.context.metrics.set_sources(["generic", "quiet"])
    async with _flood(running, 20_000) as statuses, asyncio.timeout(60):
        while statuses.count(503) < 20:
            await asyncio.sleep(0.01)
        calm = [(await running.post(QUIET, b'{"n":%d}' % n))[0] for n in range(50)]
    assert set(calm) == {202}
    assert set(statuses) <= {202, 503}
    assert running.metric("stormfold_door_refused_total", source="quiet", reason="over_share") == 0
    assert running.metric("stormfold_door_refused_total", source="quiet", reason="back_pressure") == 0
    refused = [
        running.metric("stormfold_door_refused_total", source="generic", reason=reason)
        for reason in ("over_share", "back_pressure")
    ]
    assert sum(refused) >= 20
    quiet = [record for record in await running.alerts() if ("source", b"quiet") in record.headers]
    assert len(quiet) == 50


@pytest.mark.embedded
async def test_with_kafka_away_a_newcomer_is_taken_before_those_who_wait_beyond_their_share(
    start: Start, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MAX_UNACKNOWLEDGED", 160_000)
    monkeypatch.setattr(collecting, "HOLD", 60.0)
    with contextlib.closing(_Host()) as host:
        running = await start(Broker("embedded", host.bootstrap, EmbeddedServers(host), prefix))
        collector = running.gateway._collector
        noisy, quiet = collector.spread("noisy"), collector.spread("quiet")
        await collector.submit(quiet, b"0", [])
        host.command({"down": True})
        body = b"x" * 20_000
        waiting = [asyncio.ensure_future(collector.submit(noisy, body, [])) for _ in range(20)]
        async with asyncio.timeout(30):
            while not noisy.held.used:
                await asyncio.sleep(0.01)
        assert collector.unacknowledged == 140_000
        late = asyncio.ensure_future(collector.submit(quiet, body, []))
        await asyncio.sleep(0)
        assert (collector.unacknowledged, quiet.held.used) == (160_000, 0)
        host.command({"down": False})
        async with asyncio.timeout(60):
            await asyncio.gather(late, *waiting)
        assert collector.unacknowledged == noisy.member.used == quiet.member.used == 0
        assert noisy.member.busy == noisy.held.busy == 0


@pytest.mark.embedded
async def test_where_nothing_is_taken_room_is_left_for_newcomers(
    embedded: HostProcess, start: Start, prefix: str
) -> None:
    """Each source has its own requests held, and the unread of a partition is shared as well."""
    running = await start(Broker("embedded", embedded.bootstrap, EmbeddedServers(embedded), prefix), partitions=1)
    running.holder["config"] = Config(sources={"generic": SourceConfig(), "quiet": SourceConfig()})
    running.context.metrics.set_sources(["generic", "quiet"])
    # Nobody reads: the one partition fills up to its bound of unread bytes.
    async with _flood(running, 200_000) as statuses, asyncio.timeout(60):
        while 503 not in statuses:
            await asyncio.sleep(0.01)
        assert [(await running.post(QUIET, b"%d" % n))[0] for n in range(20)] == [202] * 20
    limit = running.context.bus.profile.max_backlog_bytes
    assert limit is not None
    noisy = sum(len(r.value) for r in await running.alerts() if ("source", b"generic") in r.headers)
    assert noisy <= limit * 3 // 4


@pytest.mark.embedded
async def test_the_drop_in_doors_say_it_as_their_vendors_do(
    embedded: HostProcess, start: Start, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MAX_UNACKNOWLEDGED", 16)
    monkeypatch.setattr(collecting, "HOLD", 0.2)
    running = await start(Broker("embedded", embedded.bootstrap, EmbeddedServers(embedded), prefix))
    payload = {"summary": "s", "source": "h", "severity": "info"}
    event = {"routing_key": ROUTING_KEY, "event_action": "trigger", "payload": payload}
    status, said, headers = await running.post("/v2/enqueue", json.dumps(event).encode())
    assert (status, headers["retry-after"]) == (429, "2")
    assert json.loads(said)["status"] == "throttle exceeded"
    alert = json.dumps({"message": "longer than there is room for"}).encode()
    status, said, headers = await running.post("/v2/alerts", alert, authorization=f"GenieKey {GENIE_KEY}")
    assert (status, headers["retry-after"], headers["x-ratelimit-state"]) == (429, "2", "THROTTLED")
    assert {"message", "took", "requestId"} == set(json.loads(said))
    for source in ("pages", "genie"):
        assert running.metric("stormfold_door_requests_total", source=source, code="429") == 1
        assert running.metric("stormfold_door_refused_total", source=source, reason="back_pressure") == 1


@pytest.mark.embedded
async def test_in_one_partition_the_sources_take_turns(embedded: HostProcess, start: Start, prefix: str) -> None:
    running = await start(Broker("embedded", embedded.bootstrap, EmbeddedServers(embedded), prefix), partitions=1)
    collector = running.gateway._collector
    noisy, quiet = collector.spread("noisy"), collector.spread("quiet")
    waiting = [asyncio.ensure_future(collector.submit(noisy, b"x" * 100_000, [])) for _ in range(14)]
    late = asyncio.ensure_future(collector.submit(quiet, b"late", []))
    results = await asyncio.gather(*waiting, late, return_exceptions=True)
    assert not [result for result in results if isinstance(result, NotAcknowledged | HeldBack)]
    values = [record.value for record in sorted(await running.alerts(), key=lambda record: record.offset)]
    assert values.index(b"late") == 1
