"""What every broker must do for the protocols: the same tests over the embedded broker and over real Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from kernel.bus.clients import Bus, BusUnavailable
from kernel.bus.group import Batch, GroupLoop
from kernel.bus.profile import PROFILES
from kernel.bus.publisher import Record, fitting, publish
from kernel.bus.tail import Tail
from kernel.bus.topics import TopicSpec
from kernel.clock import SystemClock
from tests.conftest import Broker

DEADLINE = 30.0


class Collector:
    """A handler that reads from where it is told, and remembers everything."""

    def __init__(self, start: Callable[[TopicPartition], int | None] = lambda _: 0) -> None:
        self.start = start
        self.seen: list[tuple[int, int, bytes]] = []
        self.next: dict[TopicPartition, int] = {}
        self.released: list[set[TopicPartition]] = []
        self.lost: list[tuple[int, int]] = []

    async def position(self, place: TopicPartition) -> int | None:
        return self.start(place)

    async def release(self, places: set[TopicPartition]) -> None:
        self.released.append(places)

    async def turn(self, batch: Batch) -> None:
        for place, records in batch.items():
            self.seen += [(place.partition, record.offset, record.value) for record in records]
            self.next[place] = records[-1].offset + 1

    async def overtaken(self, place: TopicPartition, wanted: int, first: int) -> None:
        del place
        self.lost.append((wanted, first))

    def committable(self) -> Mapping[TopicPartition, int]:
        return self.next


def bus_of(broker: Broker) -> Bus:
    return Bus(broker.bootstrap, PROFILES[broker.kind])


async def topic(broker: Broker, partitions: int = 2) -> str:
    name = broker.prefix + "bus"
    await broker.topics.apply([TopicSpec(name, partitions, None, log_append_time=False)])
    return name


async def read_until(bus: Bus, name: str, handler: Collector, enough: Callable[[], bool], group: str) -> int | None:
    consumer = await bus.start(bus.group_consumer(group))
    stop = asyncio.Event()
    loop = GroupLoop(consumer, [name], handler, SystemClock())
    task = asyncio.create_task(loop.run(stop))
    try:
        async with asyncio.timeout(DEADLINE):
            while not enough():
                await asyncio.sleep(0.02)
        stop.set()
        await task
        committed: int | None = await consumer.committed(TopicPartition(name, 0))
        return committed
    finally:
        task.cancel()
        await consumer.stop()


async def test_records_of_a_batch_come_back_in_order_with_consecutive_offsets(broker: Broker) -> None:
    bus, name = bus_of(broker), await topic(broker)
    producer = await bus.start(bus.producer())
    try:
        records = [Record(b"v%d" % n, b"k", [("h", b"%d" % n)]) for n in range(700)]
        assert await publish(producer, name, 1, records) == list(range(700))
        big = [Record(b"x" * 200_000) for _ in range(6)]
        assert await publish(producer, name, 1, big) == list(range(700, 706))
        assert await publish(producer, name, 1, [Record(b"y" * 900_000)]) == [706]
    finally:
        await producer.stop()
    reader = await bus.start(bus.reader())
    try:
        tail = Tail(reader, name)
        assert await tail.ends([0, 1]) == {0: 0, 1: 707}
        found, overtaken = await tail.read(1, 695, 702)
        assert [record.offset for record in found] == list(range(695, 702))
        assert (found[0].value, overtaken) == (b"v695", None)
        assert (await tail.read(1, 707, 707))[0] == []
    finally:
        await reader.stop()


async def test_a_loop_reads_from_where_its_handler_says_and_commits(broker: Broker) -> None:
    bus, name = bus_of(broker), await topic(broker)
    producer = await bus.start(bus.producer())
    await publish(producer, name, 0, [Record(b"%d" % n) for n in range(10)])
    await publish(producer, name, 1, [Record(b"%d" % n) for n in range(5)])
    await producer.stop()
    handler = Collector(lambda place: 4 if place.partition == 0 else 0)
    group = broker.prefix + "group"
    committed = await read_until(bus, name, handler, lambda: len(handler.seen) == 11, group)
    assert sorted((p, o) for p, o, _ in handler.seen) == [*((0, o) for o in range(4, 10)), *((1, o) for o in range(5))]
    assert committed == 10
    again = Collector(lambda place: 9 if place.partition == 0 else 5)
    await read_until(bus, name, again, lambda: len(again.seen) == 1, group)
    assert again.seen == [(0, 9, b"9")], "the handler's word counts, not Kafka's commit"


async def test_a_partition_that_is_not_ready_is_asked_again_and_holds_up_no_other(broker: Broker) -> None:
    bus, name = bus_of(broker), await topic(broker)
    producer = await bus.start(bus.producer())
    await publish(producer, name, 0, [Record(b"a")])
    await publish(producer, name, 1, [Record(b"b")])
    await producer.stop()
    asked: list[int] = []

    def start(place: TopicPartition) -> int | None:
        asked.append(place.partition)
        return None if place.partition == 1 and asked.count(1) < 2 else 0

    handler = Collector(start)
    await read_until(bus, name, handler, lambda: len(handler.seen) == 2, broker.prefix + "group")
    assert [value for _, _, value in handler.seen] == [b"a", b"b"]
    assert asked.count(1) == 2


async def test_a_position_before_the_log_is_said_and_reading_goes_on_behind_it(broker: Broker) -> None:
    bus, name = bus_of(broker), await topic(broker, 1)
    producer = await bus.start(bus.producer())
    await publish(producer, name, 0, [Record(b"only")])
    await producer.stop()
    # An offset that the log does not have; here it lies behind the end, which brokers answer in the same way.
    handler = Collector(lambda _: 1_000)
    await read_until(bus, name, handler, lambda: len(handler.seen) == 1, broker.prefix + "group")
    assert handler.lost == [(1_000, 0)]


async def test_no_broker_is_one_sentence() -> None:
    bus = Bus("127.0.0.1:1", PROFILES["kafka"])
    with pytest.raises(BusUnavailable, match="STORMFOLD_KAFKA"):
        await bus.start(bus.producer())


def test_items_are_packed_into_as_few_records_as_fit() -> None:
    def encode(part: Sequence[bytes]) -> bytes:
        return b"".join(part)

    items = [b"x" * 10] * 25
    assert [len(value) for value in fitting(items, encode, 10, 1_000)] == [100, 100, 50]
    assert [len(value) for value in fitting(items[:4], encode, 10, 25)] == [20, 20]
    assert [len(value) for value in fitting([b"y" * 99], encode, 10, 25)] == [99]
    assert list(fitting([], encode, 10, 25)) == []


class Watching(Collector):
    """Holds its first turn until every partition has something to be read; counts the turns that one had to wait."""

    def __init__(self, places: Sequence[TopicPartition]) -> None:
        super().__init__()
        self.places = places
        self.waited: Counter[TopicPartition] = Counter()
        self.longest = 0
        self.held = False
        self.consumer: AIOKafkaConsumer | None = None

    async def turn(self, batch: Batch) -> None:
        await super().turn(batch)
        if not batch:
            return
        assert self.consumer is not None
        fetched = self.consumer._fetcher._records
        async with asyncio.timeout(DEADLINE):
            while not (self.held or set(self.places) <= fetched.keys() | batch.keys()):
                await asyncio.sleep(0.01)
        self.held = True
        for place in self.places:
            self.waited[place] = 0 if place in batch or place not in fetched else self.waited[place] + 1
        self.longest = max(self.longest, *self.waited.values())


async def test_flooded_partitions_are_taken_in_turn(broker: Broker) -> None:
    """What was fetched of one partition is many turns' worth; the others do not wait for all of it."""
    name, bus = await topic(broker, partitions=3), bus_of(broker)
    producer = await bus.start(bus.producer())
    try:
        for partition, n in ((0, 4_000), (1, 4_000), (2, 30)):
            for start in range(0, n, 1_000):
                rows = [Record(b"%d" % number) for number in range(start, min(n, start + 1_000))]
                await publish(producer, name, partition, rows)
    finally:
        await producer.stop()
    places = [TopicPartition(name, partition) for partition in range(3)]
    handler = Watching(places)
    consumer = handler.consumer = await bus.start(bus.group_consumer(broker.prefix + "turns"))
    stop = asyncio.Event()
    task = asyncio.create_task(GroupLoop(consumer, [name], handler, SystemClock(), max_records=200).run(stop))
    try:
        async with asyncio.timeout(DEADLINE):
            while len(handler.seen) < 8_030:
                await asyncio.sleep(0.02)
        stop.set()
        await task
    finally:
        task.cancel()
        await consumer.stop()
    # What is there of one partition waits at most for one turn of each other.
    assert handler.longest <= 2
    for partition, n in ((0, 4_000), (1, 4_000), (2, 30)):
        assert [offset for of, offset, _ in handler.seen if of == partition] == list(range(n))
