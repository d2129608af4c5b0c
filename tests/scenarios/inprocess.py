"""All four roles in the test's own process, to be stopped and started together."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ingest.gateway.app import Gateway
from kernel.bus.topics import TopicPort
from kernel.config.schema import Config
from kernel.context import Context
from tests.pipeline.harness import Pipeline, Role, pipeline
from tests.servers.process import free_port

OPERATOR = "operator-token"


@dataclass
class House:
    """A pipeline with its gateway at one address for good."""

    pipeline: Pipeline
    port: int
    gateway: Gateway | None = None
    door: Context | None = None
    roles: list[Role] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, shut: float = 0.0) -> None:
        """Start one member of each role; the gateway last, after `shut` seconds."""
        self.roles = [await self.pipeline.start(role) for role in ("notifier", "correlator", "ingest")]
        await asyncio.sleep(shut)
        self.door = self.pipeline.context()
        self.gateway = Gateway(self.door)
        await self.gateway.start()

    async def stop(self) -> None:
        """A clean stop of every role."""
        if self.gateway is not None:
            await self.gateway.stop(3.0)
            self.gateway = None
        for role in reversed(self.roles):
            await role.finish()
        self.roles = []

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """Status and body of a POST; header names are given with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = io.BytesIO(body)
        async with aiohttp.ClientSession() as http, http.post(self.url + path, data=data, headers=given) as answer:
            return answer.status, await answer.read()

    def metric(self, name: str, **labels: str) -> float:
        """A sample over all roles that run."""
        contexts = [role.context for role in self.roles] + ([self.door] if self.door else [])
        values = (context.metrics.registry.get_sample_value(name, labels) for context in contexts)
        return sum(value or 0.0 for value in values)


@contextlib.asynccontextmanager
async def house(
    bootstrap: str,
    profile: str,
    redis: str,
    topics: TopicPort,
    prefix: str,
    config: Config,
    port: int | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """A deployment of its own with all roles running, its gateway at a free port unless one is given."""
    port = port or free_port()
    async with pipeline(bootstrap, profile, redis, topics, prefix, config, operator_token=OPERATOR, **settings) as p:
        p.settings = p.settings.model_copy(update={"port": port})
        made = House(p, port)
        await made.start()
        try:
            yield made
        finally:
            if made.gateway is not None:
                await asyncio.wait_for(made.gateway.stop(3.0), 10.0)
