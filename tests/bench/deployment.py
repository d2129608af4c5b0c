"""One stormfold deployment of a measurement: its topics, its configuration, its roles as processes on core 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from kernel.bus.topic_ids import TopicInfo, topic_ids
from kernel.bus.topics import KafkaTopics, TopicNames, topic_specs
from kernel.model.naming import shard_of
from kernel.store.keys import Keys
from tests.bench.cores import on_core, split, used
from tests.servers.kafka import KafkaServer
from tests.servers.process import ServerFailed, ServerProcess, free_port, http_ok, private_directory
from tests.servers.valkey import StoreServer

SHARDS = 64
RAW_PARTITIONS = 4
LEASE = "30m"
"""Longer than a run: a repeat that goes through because its lease ran out is an error of the measurement."""
_TICK = 0.02
_SESSION_MS = 120_000


class WrongRun(RuntimeError):
    """A run did not do what it should have done; its time means nothing."""


@dataclass
class Servers:
    """What every measurement shares."""

    kafka: KafkaServer
    valkey: StoreServer
    made: int = 0

    def name(self) -> str:
        """A new prefix."""
        self.made += 1
        return f"b{self.made}"


@dataclass
class Deployment:
    """Topics and keys of its own; `roles` are processes that `start` has made."""

    servers: Servers
    name: str
    config: Path
    topics: TopicNames
    store: redis.Redis
    raw: TopicInfo
    roles: dict[str, ServerProcess] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        """The deployment's Redis keys."""
        return Keys(self.name)

    @property
    def shard(self) -> int:
        """The shard of the one tenant."""
        return shard_of(("default",), SHARDS)

    @property
    def pids(self) -> list[int]:
        """The processes that are measured."""
        return [role.pid for role in self.roles.values()]

    async def start(self, roles: Sequence[str]) -> None:
        """Start each role as a process of its own on core 0; returns when all are ready."""
        for role in roles:
            port = self.ports[role] = free_port()
            settings = {
                "KAFKA": self.servers.kafka.bootstrap,
                "REDIS": self.servers.valkey.url,
                "NAMESPACE": self.name,
                "TOPIC_PREFIX": f"{self.name}.",
                "SHARDS": str(SHARDS),
                "RAW_PARTITIONS": str(RAW_PARTITIONS),
                "PORT": str(port),
                # A role stands still while its input is made ready; it must not lose its partitions by that.
                "SESSION_TIMEOUT_MS": str(_SESSION_MS),
            }
            words = [f"STORMFOLD_{key}={value}" for key, value in settings.items()]
            command = [sys.executable, "-m", "stormfold", "up", "--config", str(self.config), "--roles", role]
            path = f"PYTHONPATH={Path(__file__).parent.parent.parent}"
            with on_core(split()[0]):
                self.roles[role] = ServerProcess(role, ["env", path, *words, *command], private_directory(role))
        for role, process in self.roles.items():
            await self.until(f"{role} is ready", lambda p=self.ports[role]: http_ok(f"http://127.0.0.1:{p}/readyz"))
            process.wait_ready(lambda: True)

    async def until(self, what: str, check: object, deadline: float = 60.0) -> None:
        """Poll until `check()` holds. Raises WrongRun with the roles' last words when a role dies or time is up."""
        assert callable(check)
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while not await asyncio.to_thread(check):
            dead = [role for role, process in self.roles.items() if not process.alive()]
            if dead or loop.time() > end:
                tails = "\n".join(f"--- {role}\n{process.tail()}" for role, process in self.roles.items())
                raise WrongRun(f"not reached: {what}{f'; died: {dead}' if dead else ''}\n{tails}")
            await asyncio.sleep(_TICK)

    def freeze(self) -> None:
        """Stop the roles where they are."""
        for process in self.roles.values():
            process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for process in self.roles.values():
            process.signal(signal.SIGCONT)

    def used(self) -> tuple[float, float]:
        """CPU seconds so far: the roles', and Valkey's."""
        return used(self.pids), used([self.servers.valkey.process.pid])

    # --- how far it is

    def cut(self) -> int:
        """Raw records that ingest has counted and let go of."""
        found = (self.store.hget(self.keys.cut(self.raw.id, p), "done") for p in range(self.raw.partitions))
        return sum(int(done) for done in found if done is not None)

    def members(self) -> int:
        """Alerts that the correlator has written."""
        return int(self.store.hlen(self.keys.correlator(self.shard, "members")))

    def told(self) -> int:
        """Entries of the correlator's outbox that are not published yet."""
        return int(self.store.xlen(self.keys.correlator(self.shard, "outbox")))

    def counted(self) -> int:
        """Raw records whose counts the correlator has taken."""
        names = [f"fence:{self.raw.id}.{p}" for p in range(self.raw.partitions)]
        found = self.store.hmget(self.keys.correlator(self.shard, "chain"), names)
        return sum(int(end) for end in found if end is not None)

    def incidents(self) -> list[bytes]:
        """Every incident's document."""
        return [
            doc for doc in self.store.hvals(self.keys.correlator(self.shard, "incidents")) if isinstance(doc, bytes)
        ]


_SOURCES = "sources:\n  prometheus: {}\n"
_CONFIG = """\
{sources}
correlation: {{lease: {lease}}}
teams:
  sre: {{page: [{channel}]}}
rules:
  - {{name: measured, group_by: [{group_by}], impact: [major]}}
channels:
  console: {{type: console}}
  hook: {{type: webhook, url: '{url}', allow_private: true, per_minute: 1000000}}
"""


def write_config(group_by: str, channel: str, url: str = "http://127.0.0.1:9/") -> Path:
    """A configuration directory: one rule by one label, one team."""
    directory = private_directory("config")
    text = _CONFIG.format(sources=_SOURCES, lease=LEASE, channel=channel, group_by=group_by, url=url)
    (directory / "stormfold.yaml").write_text(text)
    return directory


@contextlib.asynccontextmanager
async def deployed(servers: Servers, config: Path) -> AsyncIterator[Deployment]:
    """A deployment with its topics; everything of it is gone afterwards."""
    name = servers.name()
    bootstrap = servers.kafka.bootstrap
    specs = topic_specs(f"{name}.", SHARDS, RAW_PARTITIONS, 4)
    await KafkaTopics(bootstrap).apply(specs)
    names = TopicNames.with_prefix(f"{name}.")
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        raw = (await topic_ids(consumer._client, [names.alerts]))[names.alerts]
    finally:
        await consumer.stop()
    store = redis.Redis(unix_socket_path=str(servers.valkey.socket_path))
    made = Deployment(servers, name, config, names, store, raw)
    try:
        yield made
    finally:
        for process in made.roles.values():
            with contextlib.suppress(ProcessLookupError, ServerFailed):
                process.stop()
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([spec.name for spec in specs])
        finally:
            await admin.close()
        store.flushdb()
        store.close()


def machine() -> str:
    """What this was measured on, in a line."""
    model = "unknown CPU"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, Python {sys.version.split()[0]}"
