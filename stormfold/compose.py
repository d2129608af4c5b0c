"""Composition: from settings and a configuration to running services, in one process or in many."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

import correlator.pipeline
import ingest.pipeline
import notifier.pipeline
from ingest.adapters.registry import ADAPTERS
from ingest.gateway.app import Gateway
from kernel.bus.clients import Bus, BusUnavailable
from kernel.bus.topic_ids import TopicMetadataError, UnknownTopics, topic_ids
from kernel.clock import Clock, SystemClock
from kernel.config.settings import Settings
from kernel.config.watch import Watched
from kernel.context import Context
from kernel.httpd import CannotListen
from kernel.store.client import RedisStore, StoreUnavailable, StoreUnfit
from kernel.telemetry.health import Health
from kernel.telemetry.log import mask_text
from kernel.telemetry.looplag import measure_loop_lag
from kernel.telemetry.metrics import Metrics
from notifier.channels.base import Writer
from notifier.channels.http import open_session
from notifier.texts import check_template
from stormfold.cli.errors import UserError
from stormfold.quiet import quiet_clients
from stormfold.supervise import Supervisor
from stormfold.telemetry_server import TelemetryServer
from stormfold.version import version

log = structlog.get_logger(__name__)

T = TypeVar("T")
ROLES: Final = ("gateway", "ingest", "correlator", "notifier")


@dataclass
class Process:
    """A composed process: its context, its configuration, and where it listens once it does."""

    context: Context
    watched: Watched
    roles: Sequence[str]
    console: Writer
    url: str = ""

    async def start(self, supervisor: Supervisor, fallback: bool = False) -> str:
        """Start the roles under a supervisor; returns the URL of the process's HTTP server.

        Raises UserError where a server is missing or unfit or the port is taken; nothing runs then.
        """
        await check(self.context)
        server = Gateway(self.context, canary=True) if "gateway" in self.roles else TelemetryServer(self.context)
        try:
            self.url = _url(*await server.start(fallback))
        except (CannotListen, BusUnavailable, UnknownTopics) as error:
            raise UserError(str(error)) from error

        async def serve(stop: asyncio.Event) -> None:
            await stop.wait()
            await server.stop(5.0)

        supervisor.add("the HTTP server", serve)
        if "ingest" in self.roles:
            supervisor.add("ingest", lambda stop: ingest.pipeline.run(self.context, stop))
        if "correlator" in self.roles:
            supervisor.add("correlator", lambda stop: correlator.pipeline.run(self.context, stop))
        if "notifier" in self.roles:
            supervisor.add("notifier", self._notifier)
        supervisor.add("the configuration's watch", lambda stop: _until(stop, self.watched.watch()))
        lag = measure_loop_lag(self.context.clock, self.context.metrics)
        supervisor.add("the event loop's measure", lambda stop: _until(stop, lag))
        return self.url

    async def _notifier(self, stop: asyncio.Event) -> None:
        session = open_session()
        try:
            await notifier.pipeline.run(self.context, stop, session, self.console)
        finally:
            await session.close()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run endless work until `stop` is set."""
    task = asyncio.create_task(work)
    asked = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for each in (task, asked):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await each


@contextlib.asynccontextmanager
async def composed(
    settings: Settings,
    directory: Path,
    roles: Sequence[str] = ROLES,
    environ: Mapping[str, str] | None = None,
    console: Writer | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Process]:
    """A process over these settings and this configuration directory; closes its clients at the end.

    Raises ConfigError where the configuration is not valid.
    """
    clock = clock or SystemClock()
    metrics = Metrics(version=version())
    watched = Watched(
        directory,
        dict(os.environ if environ is None else environ),
        clock,
        metrics,
        adapters=frozenset(ADAPTERS),
        title=check_template,
    )
    metrics.set_sources(watched.config.sources)
    watched.subscribe(lambda loaded: metrics.set_sources(loaded.config.sources))
    try:
        store = RedisStore(settings.redis.get_secret_value())
    except ValueError as error:
        raise UserError(f"STORMFOLD_REDIS is no address of Redis or Valkey: {mask_text(str(error))}") from error
    context = Context(
        settings=settings,
        bus=Bus.of(settings),
        store=store,
        config=lambda: watched.config,
        metrics=metrics,
        health=Health(clock),
        clock=clock,
        config_hash=lambda: watched.current.hash,
    )
    try:
        yield Process(context, watched, roles, console or say)
    finally:
        await store.close()


async def check(context: Context) -> None:
    """Refuse to start on servers that cannot keep the promises. Raises UserError with what to do."""
    where = mask_text(context.settings.redis.get_secret_value())
    try:
        found = await context.store.check()
    except (StoreUnavailable, RedisError) as error:
        said = mask_text(str(error))
        raise UserError(f"Redis does not let stormfold in at {where} ({said}); check STORMFOLD_REDIS") from error
    except StoreUnfit as error:
        raise UserError(f"{error} (at {where})") from error
    names = context.topics
    wanted = (names.alerts, names.answers, names.signals, names.incidents, names.deliveries, names.dead)
    with quiet_clients():
        try:
            producer = await context.bus.start(context.bus.producer())
        except BusUnavailable as error:
            raise UserError(str(error)) from error
        try:
            topics = await topic_ids(producer.client, wanted)
        except (UnknownTopics, TopicMetadataError) as error:
            raise UserError(str(error)) from error
        except KafkaError as error:
            raise UserError(f"Kafka does not answer as it should: {error}") from error
        finally:
            await producer.stop()
    for name in (names.signals, names.incidents, names.deliveries):
        if topics[name].partitions != context.settings.shards:
            raise UserError(
                f"the topic {name} has {topics[name].partitions} partitions, but STORMFOLD_SHARDS is "
                f"{context.settings.shards}; they must be equal, and stay as they were at first"
            )
    log.info("servers are fit", store=found, kafka=context.settings.kafka)


def _url(host: str, port: int) -> str:
    """Where a client on this machine finds the server."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def say(line: str) -> None:
    """The console channel of a process: its own output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def quiet_garbage_collector() -> None:
    """Collect rarely: a full collection stops the event loop, and with it heartbeats and pages, for tens of ms.

    What is alive after the start stays alive, so it is frozen; the rest mostly dies by reference counts alone.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on uvloop where the machine has it."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
