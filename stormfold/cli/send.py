"""`stormfold send`: put a file of alerts on Kafka as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from kernel.bus.clients import MAX_REQUEST, Bus, BusUnavailable
from kernel.bus.topics import TopicNames
from kernel.config.settings import Settings
from stormfold.cli.errors import UserError
from stormfold.cli.found import found_settings
from stormfold.quiet import quiet_clients


def send(
    file: Annotated[Path, typer.Argument(help="The body, as the vendor sends it.")],
    source: Annotated[str, typer.Option(help="The source it comes from.")],
    repeat: Annotated[int, typer.Option(min=1, max=100_000, help="Publish it so many times.")] = 1,
) -> None:
    """Publish FILE to alerts.raw with its source; done when Kafka has acknowledged it."""
    try:
        body = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    if len(body) >= MAX_REQUEST - 4_096:
        raise UserError(f"{file} has {len(body)} bytes; a record holds less than 1 MiB: split it")
    settings = found_settings()
    asyncio.run(_send(settings, body, source, repeat))
    typer.echo(f"published {repeat} record{'s' if repeat > 1 else ''} of {len(body)} bytes from {source}")


async def _send(settings: Settings, body: bytes, source: str, repeat: int) -> None:
    bus = Bus.of(settings)
    with quiet_clients():
        try:
            producer = await bus.start(bus.producer())
        except BusUnavailable as error:
            raise UserError(f"{error}; to start everything on this machine alone: make run") from error
    topic = TopicNames.with_prefix(settings.topic_prefix).alerts
    try:
        headers = [("source", source.encode())]
        await asyncio.gather(*[await producer.send(topic, body, headers=headers) for _ in range(repeat)])
    except KafkaError as error:
        raise UserError(f"Kafka did not acknowledge it: {error}") from error
    finally:
        await producer.stop()
