"""Weaker forms of the ingest protocol, each of which its machine must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from msgspec.structs import replace

import ingest.judge
import ingest.worker
from ingest.slice import Slice, signal_records
from ingest.windows import Windows
from ingest.worker import IngestWorker
from kernel.bus.publisher import Record, publish
from kernel.model.alert import Alert, Stamp
from kernel.model.signals import Counts, Signal
from kernel.store import scripts
from kernel.store.client import Store

Variant = Callable[[pytest.MonkeyPatch], None]


def no_cut(patch: pytest.MonkeyPatch) -> None:
    """A range is emitted without stating the intent first."""

    async def cut(store: Store, key: str, start: int, end: int) -> tuple[int, int]:
        return start, end

    patch.setattr(scripts, "cut", cut)


def mark_first(patch: pytest.MonkeyPatch) -> None:
    """Windows are marked before what goes through is acknowledged."""
    publish = IngestWorker._publish

    async def marked(self: IngestWorker, out: Slice) -> None:
        await self._windows.mark(out.marks)
        await publish(self, out)

    patch.setattr(IngestWorker, "_publish", marked)


def no_resync(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds that `done` has moved goes on as if it had not."""
    cut, done = scripts.cut, scripts.done

    async def deaf_cut(store: Store, key: str, start: int, end: int) -> tuple[int, int] | None:
        held = await cut(store, key, start, end)
        return (start, end) if held is not None and held[0] != start else held

    async def deaf_done(store: Store, key: str, start: int, end: int) -> int | None:
        await done(store, key, start, end)
        return end

    patch.setattr(scripts, "cut", deaf_cut)
    patch.setattr(scripts, "done", deaf_done)


def blind_done(patch: pytest.MonkeyPatch) -> None:
    """`done` is set, wherever it stands."""

    async def done(store: Store, key: str, start: int, end: int) -> int | None:
        await store.hset(key, {"done": str(end)})
        return end

    patch.setattr(scripts, "done", done)


def split_counts(patch: pytest.MonkeyPatch) -> None:
    """The counts of a range and shard in several records."""

    def split(shard: int, arrival: int, signals: Sequence[Signal]) -> Iterator[Record]:
        for signal in signals:
            if isinstance(signal, Counts):
                for entry in signal.entries:
                    yield from signal_records(shard, arrival, [replace(signal, entries=(entry,))])
            else:
                yield from signal_records(shard, arrival, [signal])

    patch.setattr(ingest.worker, "signal_records", split)


def no_tie_break(patch: pytest.MonkeyPatch) -> None:
    """Observations of the same time are equal, wherever they stand on Kafka."""

    def blunt(observed: int, arrival: int, *place: Any) -> Stamp:
        del place
        return Stamp(observed, arrival, 0, 0, 0)

    patch.setattr(ingest.judge, "Stamp", blunt)
    patch.setattr(Alert, "stamp", property(lambda alert: blunt(alert.observed_at, alert.received_at)))


def keep_memory(patch: pytest.MonkeyPatch) -> None:
    """What was judged but never acknowledged stays in memory as seen."""
    patch.setattr(Windows, "forget", lambda self: None)


def forget_by_part(patch: pytest.MonkeyPatch) -> None:
    """After a failure memory is forgotten only where a partition is still held."""

    def start_again(self: IngestWorker, delay: float) -> None:
        for part in list(self._parts.values()):
            self._doubt(part, delay)

    patch.setattr(IngestWorker, "_start_again", start_again)


def no_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """Goes on whether or not the broker has acknowledged."""

    async def silent(producer: Any, topic: str, partition: int, records: Sequence[Record]) -> list[int]:
        try:
            return await publish(producer, topic, partition, records)
        except KafkaError:
            return [0] * len(records)

    patch.setattr(ingest.worker, "publish", silent)


VARIANTS: Sequence[Variant] = (
    no_cut,
    mark_first,
    no_resync,
    blind_done,
    split_counts,
    no_tie_break,
    keep_memory,
    forget_by_part,
    no_acknowledgement,
)
