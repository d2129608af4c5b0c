"""What one pass over a batch has gathered: signals by shard, marks, dead letters, tallies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from aiokafka.structs import ConsumerRecord

from ingest.adapters.base import Default, Reason, Refusal
from ingest.counts import RangeCounter
from ingest.decide import Mark
from kernel.bus.publisher import Record, fitting
from kernel.clock import Millis
from kernel.model.alert import Alert
from kernel.model.codec import encode
from kernel.model.signals import MAX_RECORD_BYTES, MAX_SIGNALS, Signal, SignalRecord

BUILD = "stormfold"
ROOM = 1_000_000
"""Bytes of a raw record that its dead letter keeps; with what is said of it, it fits a record of 1 MiB."""
OWN_HEADERS = frozenset(
    ("reason", "stage", "origin-topic", "origin-partition", "origin-offset", "attempt", "build", "alerts", "detail")
) | {"cut"}
"""What a dead letter says of itself; every other header is the raw record's, without which it may be read otherwise."""
_LONG = 64 * 1024
_MOST_KEPT = 32
_SHOWN = 20


@dataclass(slots=True)
class DeadLetter:
    """A raw record of which something could not be taken; kept whole, so that it can be replayed.

    One that fills a record of Kafka's to the brim is kept without its end (header `cut`: bytes of the whole body): a
    dead letter that cannot be written would stop everything behind it.
    """

    record: ConsumerRecord
    reason: Reason
    refusals: Sequence[Refusal]

    def to_record(self, topic: str) -> Record:
        """The record of `alerts.dead`: the bytes as they came, everything about them in headers."""
        old = dict(self.record.headers)
        attempt = _attempt(old.get("attempt")) + 1
        detail = [{"index": r.index, "reason": r.reason, "detail": r.detail} for r in self.refusals[:_SHOWN]]
        kept = self._kept()
        whole, key = self.record.value or b"", self.record.key
        if key is not None and len(key) > _LONG:
            key = None
        body = whole[: ROOM - len(key or b"") - sum(len(name) + len(value) for name, value in kept)]
        headers = [
            *kept,
            ("reason", self.reason.encode()),
            ("stage", b"ingest"),
            ("origin-topic", topic.encode()),
            ("origin-partition", b"%d" % self.record.partition),
            ("origin-offset", b"%d" % self.record.offset),
            ("attempt", b"%d" % attempt),
            ("build", BUILD.encode()),
            ("alerts", b"%d" % len(self.refusals)),
            ("detail", orjson.dumps(detail)),
        ]
        if len(body) < len(whole):
            headers.append(("cut", b"%d" % len(whole)))
        return Record(body, key, headers)

    def _kept(self) -> list[tuple[str, bytes]]:
        """The raw record's headers, those that route first, in so many bytes that the body has room beside them."""
        given = [(name, value) for name, value in self.record.headers if value is not None and name not in OWN_HEADERS]
        given.sort(key=lambda header: header[0] not in ("source", "tenant", "content-encoding"))
        kept, room = list[tuple[str, bytes]](), 4 * _LONG
        for name, value in given[:_MOST_KEPT]:
            room -= len(name) + min(len(value), _LONG)
            if room < 0:
                break
            kept.append((name, value[:_LONG]))
        return kept


def _attempt(given: bytes | None) -> int:
    """How often the record was dead before. Anybody who may publish can write the header, so anything may be in it."""
    return int(given) if given is not None and given.isdigit() and len(given) <= 6 else 0


@dataclass(slots=True)
class Todo:
    """An alert in full, waiting for the look-up of its fingerprint."""

    alert: Alert
    shard: int
    source: str
    counter: RangeCounter


@dataclass(slots=True)
class Slice:
    """Gathered between two publications, and empty again after each; `passed` and `refused` are of the whole batch."""

    signals: dict[int, list[Signal]] = field(default_factory=dict)
    arrival: dict[int, Millis] = field(default_factory=dict)
    marks: list[tuple[int, str, Mark]] = field(default_factory=list)
    todo: list[Todo] = field(default_factory=list)
    dead: list[tuple[str, DeadLetter]] = field(default_factory=list)
    tallies: Counter[tuple[str, str]] = field(default_factory=Counter)
    defaults: Counter[tuple[str, Default]] = field(default_factory=Counter)
    commands: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: int = 0
    passed: int = 0
    refused: int = 0

    def signal(self, shard: int, signal: Signal, arrival: Millis) -> None:
        """A signal for a shard, with the raw arrival of what caused it."""
        self.signals.setdefault(shard, []).append(signal)
        self.arrival[shard] = max(self.arrival.get(shard, 0), arrival)

    def refuse(self, topic: str, source: str, record: ConsumerRecord, refusals: Sequence[Refusal]) -> None:
        """Everything of one raw record that is dead."""
        self.dead.append((topic, DeadLetter(record, refusals[0].reason, refusals)))
        self.tallies[source, "dead"] += len(refusals)

    def took_defaults(self, source: str, defaults: dict[Default, int]) -> None:
        """Documented defaults taken while reading a body."""
        for default, n in defaults.items():
            self.defaults[source, default] += n


def signal_records(shard: int, arrival: Millis, signals: Sequence[Signal]) -> Iterator[Record]:
    """The signals of a shard as records of at most 500 signals and 256 KiB each.

    A single signal is never cut, so a record holds at least one: a raw body is at most 512 KiB.
    """
    for value in fitting(
        signals,
        lambda part: encode(SignalRecord(shard, arrival, tuple(part))),
        MAX_SIGNALS,
        MAX_RECORD_BYTES,
    ):
        yield Record(value)
