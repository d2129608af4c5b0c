"""Readiness, liveness and the three paths that show them."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson
import pytest

from kernel.telemetry.health import Health
from kernel.telemetry.http import telemetry_app
from kernel.telemetry.looplag import measure_loop_lag
from kernel.telemetry.metrics import Metrics


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds + 0.5
        await asyncio.sleep(0)


class Client:
    """Asks the application as a server would."""

    def __init__(self, health: Health, metrics: Metrics | None = None) -> None:
        self.app = telemetry_app(metrics or Metrics(), health)

    async def ask(self, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.app({"type": "http", "method": method, "path": path}, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def test_ready_only_while_every_check_is_ok() -> None:
    health = Health(HandClock())
    client = Client(health)
    assert (await client.ask("/readyz"))[0] == 503, "nothing is known yet"
    health.set("kafka", True, "connected")
    assert (await client.ask("/readyz"))[0] == 200
    health.set("correlator.shards", False, "shard s07 is lost")
    status, _, body = await client.ask("/readyz")
    assert status == 503
    assert orjson.loads(body) == {
        "ready": False,
        "checks": {
            "correlator.shards": {"ok": False, "reason": "shard s07 is lost"},
            "kafka": {"ok": True, "reason": "connected"},
        },
    }
    health.drop("correlator.shards")
    assert (await client.ask("/readyz"))[0] == 200


async def test_alive_while_the_slowest_loop_makes_progress() -> None:
    clock = HandClock()
    health = Health(clock, limit=10)
    client = Client(health)
    assert (await client.ask("/healthz"))[0] == 200
    health.progress("ingest")
    clock.seconds += 8
    health.progress("notifier")
    assert (await client.ask("/healthz"))[0] == 200
    clock.seconds += 3
    status, _, body = await client.ask("/healthz")
    assert status == 503
    assert "the loop ingest made no progress for 11 s" in orjson.loads(body)["reason"]
    health.progress("ingest")
    assert (await client.ask("/healthz"))[0] == 200


async def test_paths_and_methods() -> None:
    client = Client(Health(HandClock()), Metrics(["prometheus"]))
    status, headers, body = await client.ask("/metrics")
    assert status == 200
    assert headers[b"content-type"].startswith(b"text/plain; version=0.0.4")
    assert b'stormfold_alerts_total{outcome="repeat",source="prometheus"} 0.0' in body
    assert int(headers[b"content-length"]) == len(body)
    assert (await client.ask("/metrics", "HEAD"))[2] == b""
    status, headers, _ = await client.ask("/metrics", "POST")
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")
    assert (await client.ask("/"))[0] == 404


async def test_the_lifespan_protocol_is_answered() -> None:
    inbox = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return dict(next(inbox))

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    await telemetry_app(Metrics(), Health(HandClock()))({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_loop_lag_is_what_a_sleep_took_too_long() -> None:
    metrics = Metrics()
    task = asyncio.create_task(measure_loop_lag(HandClock(), metrics))
    for _ in range(1_000):
        await asyncio.sleep(0)
        count = metrics.registry.get_sample_value("stormfold_event_loop_lag_seconds_count")
        if count is not None and count >= 4:
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    total = metrics.registry.get_sample_value("stormfold_event_loop_lag_seconds_sum")
    count = metrics.registry.get_sample_value("stormfold_event_loop_lag_seconds_count")
    assert count is not None
    assert total == pytest.approx(0.5 * count)
