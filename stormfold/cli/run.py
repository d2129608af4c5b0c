"""`stormfold up`: run any of the services, against real Kafka and Redis or with embedded servers."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from kernel.bus.topics import topic_specs
from kernel.clock import SystemClock
from kernel.config.settings import Settings
from kernel.telemetry.log import configure
from stormfold.cli import runtime_file
from stormfold.cli.errors import UserError
from stormfold.cli.settings import read_settings
from stormfold.compose import ROLES, composed, quiet_garbage_collector, run
from stormfold.embedded.servers import EmbeddedError, EmbeddedServers
from stormfold.supervise import PartDied, ServersGone, supervised

EMBEDDED_SHARDS, EMBEDDED_RAW, EMBEDDED_ANSWERS = 8, 16, 4


def up(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start the embedded servers too; they keep nothing across a restart.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="The configuration directory (STORMFOLD_CONFIG).")] = None,
    roles: Annotated[str, typer.Option(help="Which services, comma separated.")] = ",".join(ROLES),
) -> None:
    """Run services until Ctrl-C. SIGHUP reloads the configuration."""
    chosen = tuple(dict.fromkeys(name.strip() for name in roles.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in ROLES]
    if unknown or not chosen:
        raise UserError(f"there is no role {', '.join(unknown) or roles!r}; the roles are {', '.join(ROLES)}")
    settings = read_settings(config=config)
    configure(settings.log_level)
    run(_up_embedded(settings, chosen) if embedded else _serve(settings, chosen, fallback=False))


async def _serve(
    settings: Settings, roles: tuple[str, ...], *, fallback: bool, servers: EmbeddedServers | None = None
) -> None:
    async with composed(settings, settings.config, roles) as process, supervised(process.watched.request) as supervisor:
        if servers is not None:
            supervisor.add("the embedded servers' watch", lambda stop: watch_servers(servers, stop))
        url = await process.start(supervisor, fallback)
        if servers is not None:
            tokens = {
                name: source.token.reveal()
                for name, source in process.watched.config.sources.items()
                if source.token is not None
            }
            runtime_file.write(running(settings, url, tokens))
        typer.echo(
            f"stormfold runs {', '.join(roles)}; {url} (metrics at {url}/metrics); stop it with Ctrl-C", err=True
        )
        quiet_garbage_collector()
        try:
            await supervisor.wait()
        except PartDied as error:
            raise UserError(str(error)) from error
        finally:
            if servers is not None:
                runtime_file.remove(os.getpid())


async def _up_embedded(settings: Settings, roles: tuple[str, ...]) -> None:
    servers = EmbeddedServers()
    try:
        settings = await start_embedded(settings, servers)
        await _serve(settings, roles, fallback=True, servers=servers)
    finally:
        await servers.stop()


async def start_embedded(settings: Settings, servers: EmbeddedServers) -> Settings:
    """Start the embedded servers with their topics; returns the settings that lead there, with an operator's token."""
    specs = topic_specs(settings.topic_prefix, EMBEDDED_SHARDS, EMBEDDED_RAW, EMBEDDED_ANSWERS)
    try:
        await servers.start(specs)
    except EmbeddedError as error:
        raise UserError(str(error)) from error
    token = settings.operator_token or SecretStr(secrets.token_urlsafe(24))
    return settings.model_copy(
        update={
            "kafka": servers.bootstrap,
            "kafka_profile": "embedded",
            "redis": SecretStr(servers.redis_url),
            "shards": EMBEDDED_SHARDS,
            "raw_partitions": EMBEDDED_RAW,
            "answers_partitions": EMBEDDED_ANSWERS,
            "operator_token": token,
        }
    )


def running(settings: Settings, url: str, tokens: dict[str, str] | None = None) -> runtime_file.Running:
    """What the other commands need to find this run."""
    assert settings.operator_token is not None
    return runtime_file.Running(
        url=url,
        kafka=settings.kafka,
        redis=settings.redis.get_secret_value(),
        profile=settings.kafka_profile,
        namespace=settings.namespace,
        operator_token=settings.operator_token.get_secret_value(),
        pid=os.getpid(),
        started_at=SystemClock().now_ms(),
        source_tokens=tokens or {},
        topic_prefix=settings.topic_prefix,
    )


async def watch_servers(servers: EmbeddedServers, stop: asyncio.Event) -> None:
    """Ends, with one sentence, when the embedded servers die."""
    dead = asyncio.create_task(servers.wait_dead())
    asked = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([dead, asked], return_when=asyncio.FIRST_COMPLETED)
    for task in (dead, asked):
        task.cancel()
    if dead in done:
        # Clients whose broker is gone complain many times a second, and would bury the one sentence that matters.
        for name in ("aiokafka", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        raise ServersGone(dead.result())
