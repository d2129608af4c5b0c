"""The notifier's worker: gives each of its shards the facts of its incidents."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from kernel.bus.tail import Tail
from kernel.context import Context
from kernel.shards import ShardWorker
from kernel.steps import Step
from notifier.owner import ShardNotifier
from notifier.targets import Targets


class NotifierWorker(ShardWorker[ShardNotifier]):
    """Handler of the consumer loop over `incidents`."""

    role = "notifier"
    read_step = Step.NOTIFIER_READ

    def __init__(
        self,
        context: Context,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        deliveries: Tail,
        targets: Targets,
    ) -> None:
        names = context.topics
        super().__init__(context, consumer, producer, names.incidents, (names.incidents, names.deliveries))
        self._deliveries = deliveries
        self._targets = targets

    def new_owner(self, shard: int) -> ShardNotifier:
        """An owner of that shard, before its claim."""
        return ShardNotifier(self.context, shard, self.producer, self._deliveries, self._targets)

    async def fresh(self, shard: int, first: int) -> dict[str, str]:
        """A fresh shard has taken nothing, and reads every row that its partition of `deliveries` still has."""
        start = (await self._deliveries.beginnings([shard]))[shard]
        return {"pos": str(first - 1), "dpos": str(start)}

    async def look_around(self) -> None:
        """Read on in `deliveries`."""
        ends = await self._deliveries.ends(self.owners)
        for shard, owner in list(self.owners.items()):
            await owner.look(ends[shard])
        places = [TopicPartition(self.topic, shard) for shard in self.owners]
        last = await self.consumer.end_offsets(places) if places else {}
        lag = sum(
            max(0, last[place] - held.next_offset)
            for place in places
            if (held := self.owners.get(place.partition)) is not None
        )
        self.context.metrics.consumer_lag_records.labels("incidents").set(lag)
