"""Deliveries that were taken: what one gateway knows another does, and what is known while Redis is away."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from ingest.origin import replay
from ingest.origin.replay import ReplayGuard
from kernel.clock import SystemClock
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from kernel.telemetry.metrics import Metrics


class Clock(SystemClock):
    """A clock that is moved."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_ms / 1000


class Gateways:
    """Guards of one deployment, each with its own metrics."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.keys = Keys(f"t{uuid.uuid4().hex[:8]}")
        self.clock = Clock()

    def guard(self, store: RedisStore | None = None) -> tuple[ReplayGuard, Metrics]:
        metrics = Metrics(["pager"], "test")
        return ReplayGuard(store or self.store, self.keys, self.clock, metrics), metrics


def count(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"stormfold_{name}", labels) or 0.0


@pytest.fixture
async def gateways(store_url: str) -> AsyncIterator[Gateways]:
    store = RedisStore(store_url)
    yield Gateways(store)
    await store.close()


async def test_what_one_gateway_took_all_know(gateways: Gateways) -> None:
    (one, metrics), (other, others) = gateways.guard(), gateways.guard()
    for guard in (one, other):
        assert not await guard.seen("pager", "delivery-1 hash-1")
    await one.remember("pager", "delivery-1 hash-1", 60_000)
    for guard in (one, other):
        assert await guard.seen("pager", "delivery-1 hash-1")
        assert await guard.seen("pager", "delivery-1"), "by either name"
        assert await guard.seen("pager", "changed hash-1"), "by either name"
        assert not await guard.seen("pager", "delivery-2 hash-2")
        assert not await guard.seen("slack", "delivery-1 hash-1"), "names are a source's own"
    assert count(metrics, "door_replays_total", source="pager") == 3
    assert count(others, "door_replays_total", source="pager") == 3
    assert count(others, "door_replay_unshared_total", step="seen") == 0


async def test_it_is_forgotten_in_its_time(gateways: Gateways) -> None:
    guard, _ = gateways.guard()
    await guard.remember("pager", "delivery-1", 60_000)
    key = next(iter(guard._own))
    assert 50_000 < await gateways.store._redis.pttl(key) <= 60_000
    await gateways.store.delete([key])
    assert await guard.seen("pager", "delivery-1"), "this gateway's own memory"
    gateways.clock.ahead_ms = 60_001
    assert not await guard.seen("pager", "delivery-1")
    assert not guard._own


async def test_without_a_name_nothing_is_asked_or_kept(gateways: Gateways) -> None:
    guard, _ = gateways.guard()
    await guard.remember("pager", "", 60_000)
    await guard.remember("pager", "delivery-1", 0)
    assert not await guard.seen("pager", "")
    assert not await guard.seen("pager", "delivery-1")


async def test_with_redis_away_a_gateway_knows_its_own_and_says_so(gateways: Gateways) -> None:
    away = RedisStore("redis://127.0.0.1:1/0")
    guard, metrics = gateways.guard(away)
    assert not await guard.seen("pager", "delivery-1")
    await guard.remember("pager", "delivery-1", 60_000)
    assert await guard.seen("pager", "delivery-1")
    assert not await guard.seen("pager", "delivery-2")
    assert count(metrics, "door_replay_unshared_total", step="seen") == 2
    assert count(metrics, "door_replay_unshared_total", step="remember") == 1
    await away.close()


async def test_a_redis_that_came_back_is_asked_again(gateways: Gateways) -> None:
    (guard, metrics), (other, _) = gateways.guard(), gateways.guard()
    there, guard._store = guard._store, RedisStore("redis://127.0.0.1:1/0")
    await guard.remember("pager", "delivery-1", 60_000)
    await guard._store.close()
    guard._store = there
    await other.remember("pager", "delivery-2", 60_000)
    assert not await guard.seen("pager", "delivery-2"), "it is left alone for two seconds"
    gateways.clock.ahead_ms = 2_001
    assert await guard.seen("pager", "delivery-2")
    assert count(metrics, "door_replay_unshared_total", step="seen") == 1


async def test_a_redis_that_hangs_does_not_hold_the_door(gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "WAIT_S", 0.05)
    guard, metrics = gateways.guard()
    await gateways.store._redis.client_pause(300)
    assert not await guard.seen("pager", "delivery-1")
    assert count(metrics, "door_replay_unshared_total", step="seen") == 1
    await gateways.store._redis.client_unpause()


async def test_the_own_memory_is_bounded(gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "REMEMBERED", 10)
    guard, _ = gateways.guard()
    for n in range(30):
        await guard.remember("pager", f"delivery-{n}", 60_000)
    assert len(guard._own) == 10
    assert await guard.seen("pager", "delivery-29")
    assert await guard.seen("pager", "delivery-0"), "Redis knows the older ones"
