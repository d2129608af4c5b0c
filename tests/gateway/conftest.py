"""A running gateway on each broker, and what reads what it wrote."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiokafka.structs import ConsumerRecord

from ingest.gateway.app import Gateway
from kernel.bus.clients import Bus
from kernel.bus.tail import Tail
from kernel.bus.topics import topic_specs
from kernel.clock import SystemClock
from kernel.config.proof import RoutingKeyProof
from kernel.config.schema import Config, SourceConfig
from kernel.config.settings import Settings
from kernel.config.values import Secret
from kernel.context import Context
from kernel.store.client import RedisStore
from kernel.telemetry.health import Health
from kernel.telemetry.metrics import Metrics
from tests.conftest import Broker

TOKEN = "s3cr\u00e9t-\u20ac"
OPERATOR = "op-token"
ROUTING_KEY = "5f3a9c0d1e7b4a6288d0c4e1f9a7b326"
GENIE_KEY = "0d9c1c5e-52b1-4d66-9a0e-6f3b8a4f2c11"


def configuration() -> Config:
    """Two open sources, one with a token, and one behind each drop-in door."""
    return Config(
        sources={
            "prometheus": SourceConfig(),
            "generic": SourceConfig(),
            "guarded": SourceConfig(token=Secret("env:GUARDED", TOKEN)),
            "pages": SourceConfig(
                adapter="pagerduty", proof=RoutingKeyProof(secrets=(Secret("env:PAGES", ROUTING_KEY),))
            ),
            "genie": SourceConfig(adapter="opsgenie", proof=RoutingKeyProof(secrets=(Secret("env:GENIE", GENIE_KEY),))),
        }
    )


@dataclass
class Running:
    """A gateway under test; `config` may be replaced as a reload does."""

    gateway: Gateway
    context: Context
    url: str
    host: str
    port: int
    http: aiohttp.ClientSession
    holder: dict[str, Config] = field(default_factory=dict)

    async def post(self, path: str, data: Any = b"[]", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body, headers of a POST; header names are given with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        large = isinstance(data, bytes) and len(data) > 1_000_000
        sent = io.BytesIO(data) if large else data
        async with self.http.post(self.url + path, data=sent, headers=given) as answer:
            return answer.status, await answer.read(), {key.lower(): value for key, value in answer.headers.items()}

    async def alerts(self) -> list[ConsumerRecord]:
        """Every record of the alerts topic."""
        return await self.records(self.context.topics.alerts, self.context.settings.raw_partitions)

    async def records(self, topic: str, partitions: int) -> list[ConsumerRecord]:
        """Every record of a topic."""
        consumer = await self.context.bus.start(self.context.bus.reader())
        try:
            tail = Tail(consumer, topic)
            ends = await tail.ends(range(partitions))
            found: list[ConsumerRecord] = []
            for partition, end in ends.items():
                found.extend((await tail.read(partition, 0, end))[0])
            return found
        finally:
            await consumer.stop()

    def metric(self, name: str, **labels: str) -> float:
        """The value of a sample, 0 where there is none."""
        return self.context.metrics.registry.get_sample_value(name, labels) or 0.0


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(valkey_url: str) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """Factory: a gateway on this broker; stops what it started."""
    async with contextlib.AsyncExitStack() as stack:

        async def starting(broker: Broker, partitions: int = 4, **settings: Any) -> Running:
            values: dict[str, Any] = {
                "kafka": broker.bootstrap,
                "kafka_profile": broker.kind,
                "redis": valkey_url,
                "namespace": broker.prefix.rstrip("."),
                "topic_prefix": broker.prefix,
                "shards": 4,
                "raw_partitions": partitions,
                "answers_partitions": 2,
                "port": 0,
                "operator_token": OPERATOR,
            }
            chosen = Settings(**(values | settings))
            await broker.topics.apply(topic_specs(broker.prefix, 4, partitions, 2))
            holder = {"config": configuration()}
            store = RedisStore(valkey_url)
            stack.push_async_callback(store.close)
            clock = SystemClock()
            context = Context(
                chosen,
                Bus.of(chosen),
                store,
                lambda: holder["config"],
                Metrics(holder["config"].sources, "test"),
                Health(clock),
                clock,
            )
            gateway = Gateway(context)
            host, port = await gateway.start()
            stack.push_async_callback(gateway.stop, 2.0)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Running(gateway, context, f"http://{host}:{port}", host, port, http, holder)

        yield starting


@pytest.fixture
async def running(broker: Broker, start: Start) -> Running:
    """A gateway on each broker in turn."""
    return await start(broker)


async def raw(running: Running, request: bytes, wait: float = 5.0) -> bytes:
    """Bytes on a socket of their own, and all that came back until the server closed or was silent for long."""
    reader, writer = await asyncio.open_connection(running.host, running.port)
    try:
        writer.write(request)
        await writer.drain()
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            async with asyncio.timeout(wait):
                while chunk := await reader.read(65_536):
                    received += chunk
                    if b"\r\n\r\n" in received and b"connection: close" not in received.lower():
                        break
        return received
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
