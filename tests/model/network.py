"""What lies between the processes of the model: topics as lists, and clients that do what the real ones are asked.

This is the scheduler of the network, there so that every produce, fetch and answer is a choice of the model. It stands
in for Kafka nowhere else: what brokers and clients really do is tested on real brokers, crash points included.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaTimeoutError
from aiokafka.structs import ConsumerRecord

from kernel.clock import Millis
from tests.model.schedule import LATE, LOST, UNANSWERED, Schedule

Payload = tuple[bytes, bytes | None, list[tuple[str, bytes]]]


@dataclass
class Network:
    """All topics, with ids, and what groups have committed. `stamp` gives the time of a new record."""

    schedule: Schedule
    random: random.Random
    stamp: Callable[[], Millis]
    ids: dict[str, uuid.UUID] = field(default_factory=dict)
    logs: dict[TopicPartition, list[ConsumerRecord]] = field(default_factory=dict)
    commits: dict[tuple[str, TopicPartition], int] = field(default_factory=dict)

    def create(self, topic: str, partitions: int) -> None:
        """A new, empty topic."""
        self.ids[topic] = uuid.UUID(int=self.random.getrandbits(128) | 1)
        for partition in range(partitions):
            self.logs[TopicPartition(topic, partition)] = []

    def append(self, place: TopicPartition, payload: Payload, timestamp: Millis | None = None) -> int:
        """One more record; returns its offset."""
        log, (value, key, headers) = self.logs[place], payload
        at = self.stamp() if timestamp is None else timestamp
        log.append(
            ConsumerRecord(
                place.topic,
                place.partition,
                len(log),
                at,
                0,
                key,
                value,
                None,
                len(key or b""),
                len(value),
                tuple(headers),
            )
        )
        return len(log) - 1

    def partitions(self, topic: str) -> list[TopicPartition]:
        """Every partition of a topic."""
        return [place for place in self.logs if place.topic == topic]


class _Client:
    """Answers the one metadata request that the program makes by itself."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def get_random_node(self) -> int:
        return 0

    async def send(self, node: int, request: Any) -> Any:
        del node
        await self._network.schedule.gate("network.metadata")
        return SimpleNamespace(
            topics=[
                (0, name, self._network.ids[name], False, self._network.partitions(name), 0, {})
                for name in request._names
            ]
        )


class Batch:
    """Records that are sent together."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []

    def append(self, *, timestamp: None, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]) -> object:
        self.payloads.append((value, key, headers))
        return self

    def close(self) -> None:
        """Nothing is added any more."""


class Producer:
    """Appends batches; an unacknowledged one may be there, or not, or come later."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.client = _Client(network)

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(await self._append(TopicPartition(topic, partition), batch.payloads))
        return acknowledged

    async def send_and_wait(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Any:
        return await self._append(TopicPartition(topic, partition or 0), [(value, key, list(headers))])

    async def _append(self, place: TopicPartition, payloads: Sequence[Payload]) -> Any:
        fault = await self._network.schedule.gate(f"produce.{place.topic}")

        def arrive() -> int:
            offsets = [self._network.append(place, payload) for payload in payloads]
            return offsets[0]

        async def later() -> int:
            return arrive()

        if fault == LATE:
            self._network.schedule.late.append(later)
        if fault not in (LOST, LATE):
            first = arrive()
        if fault in (LOST, UNANSWERED, LATE):
            raise KafkaTimeoutError(f"the model: {fault}")
        await self._network.schedule.gate(f"acknowledged.{place.topic}")
        return SimpleNamespace(offset=first)


class Places(set[TopicPartition]):
    """A set in a certain order, so that a run is the same in every process."""

    def __iter__(self) -> Iterator[TopicPartition]:
        return iter(sorted(super().__iter__()))


class Consumer:
    """A member that was given `places`, or a reader outside of groups."""

    def __init__(self, network: Network, group: str = "", places: Iterable[TopicPartition] = ()) -> None:
        self._network = network
        self._group = group
        self._positions: dict[TopicPartition, int | None] = dict.fromkeys(places)
        self._paused: set[TopicPartition] = set()
        self.listener: Any = None
        self.fenced = False

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        self.listener = listener
        listener.on_partitions_assigned(Places(self._positions))

    def lose(self, places: Iterable[TopicPartition]) -> None:
        """The group has taken these away."""
        for place in places:
            self._positions.pop(place, None)
            self._paused.discard(place)

    def gain(self, places: Iterable[TopicPartition]) -> None:
        """The group has given these (back)."""
        for place in places:
            self._positions[place] = None
        self.listener.on_partitions_assigned(Places(places))

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(places)

    def _mine(self, places: Iterable[TopicPartition]) -> None:
        if any(place not in self._positions for place in places):
            raise IllegalStateError("not assigned")

    def pause(self, *places: TopicPartition) -> None:
        self._mine(places)
        self._paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self._mine(places)
        self._paused.difference_update(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._mine([place])
        self._positions[place] = offset

    async def position(self, place: TopicPartition) -> int:
        offset = self._positions[place]
        assert offset is not None
        return offset

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int = 0, max_records: int = 500
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        await self._network.schedule.gate("read" if places else "fetch")
        found = {}
        for place in places or list(self._positions):
            offset = self._positions[place]
            if place in self._paused or offset is None:
                continue
            most = max_records if places else self._network.random.randint(1, 4)
            rows = self._network.logs[place][offset : offset + most]
            if rows:
                found[place] = rows
                self._positions[place] = offset + len(rows)
        return found

    async def beginning_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._network.schedule.gate("ends")
        return {place: len(self._network.logs[place]) for place in places}

    async def committed(self, place: TopicPartition) -> int | None:
        return self._network.commits.get((self._group, place))

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._network.schedule.gate("commit")
        if self.fenced:
            raise CommitFailedError
        for place, offset in offsets.items():
            self._network.commits[self._group, place] = offset
