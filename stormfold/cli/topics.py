"""`stormfold topics`: see and make the topics that a pipeline needs."""

from __future__ import annotations

import asyncio

import typer
from aiokafka.errors import KafkaError

from kernel.bus.clients import Bus
from kernel.bus.topic_ids import TopicMetadataError
from kernel.bus.topics import KafkaTopics, TopicChange, topic_specs
from stormfold.cli.errors import UserError
from stormfold.cli.settings import read_settings
from stormfold.quiet import quiet_clients

app = typer.Typer(no_args_is_help=True, help="See and make the topics on a real Kafka.")


@app.command()
def plan() -> None:
    """Say what `apply` would change, and change nothing."""
    _show(asyncio.run(_with_topics(change=False)), "would be changed")


@app.command()
def apply() -> None:
    """Make every topic as it must be. Partition counts that are fixed are refused, never changed."""
    _show(asyncio.run(_with_topics(change=True)), "changed")


async def _with_topics(*, change: bool) -> list[TopicChange]:
    settings = read_settings()
    bus = Bus.of(settings)
    port = KafkaTopics(bus.bootstrap, bus.security)
    specs = topic_specs(
        settings.topic_prefix,
        settings.shards,
        settings.raw_partitions,
        settings.answers_partitions,
        settings.downstream_prefix,
    )
    with quiet_clients():
        try:
            return await (port.apply(specs) if change else port.plan(specs))
        except (KafkaError, TopicMetadataError, TimeoutError) as error:
            raise UserError(f"Kafka did not do as it was asked: {error}") from error


def _show(changes: list[TopicChange], verb: str) -> None:
    for change in changes:
        typer.echo(f"{change.kind:8} {change.text}")
    typer.echo(f"{len(changes)} topics {verb}" if changes else "every topic is as it must be")
