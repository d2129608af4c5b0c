"""The correlator's worker: gives each of its shards its records, its time and what others said in its name."""

from __future__ import annotations

from collections import Counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from correlator.owner import ShardOwner
from kernel.bus.tail import Tail
from kernel.context import Context
from kernel.model.incident import IncidentStatus, Priority
from kernel.model.own import CANARY_RULE
from kernel.progress import least_progress
from kernel.shards import ShardWorker
from kernel.steps import Step


class CorrelatorWorker(ShardWorker[ShardOwner]):
    """Handler of the consumer loop over `signals`."""

    role = "correlator"
    read_step = Step.CORRELATOR_READ

    def __init__(
        self, context: Context, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, incidents: Tail
    ) -> None:
        names = context.topics
        super().__init__(
            context,
            consumer,
            producer,
            names.signals,
            (names.signals, names.incidents),
            (names.alerts, names.answers),
        )
        self._incidents = incidents
        self._started_at = context.clock.now_ms()

    def new_owner(self, shard: int) -> ShardOwner:
        """An owner of that shard, before its claim."""
        return ShardOwner(self.context, shard, self.producer, self._incidents)

    async def fresh(self, shard: int, first: int) -> dict[str, str]:
        """A fresh shard has taken nothing, and listens to all that was ever said in its name."""
        echo = (await self._incidents.beginnings([shard]))[shard]
        return {"pos": str(first - 1), "echo": str(echo)}

    async def look_around(self) -> None:
        """The progress first, then the ends of `signals`; then whether anybody spoke in our name."""
        context, names = self.context, self.context.topics
        raw = {name: self.topics[name] for name in (names.alerts, names.answers)}
        progress = least_progress(await context.store.hgetall(context.keys.progress), raw)
        places = [TopicPartition(self.topic, shard) for shard in self.owners]
        ends = await self.consumer.end_offsets(places) if places else {}
        said = await self._incidents.ends(self.owners)
        lag = 0
        for shard, owner in list(self.owners.items()):
            end = ends[TopicPartition(self.topic, shard)]
            lag += max(0, end - owner.next_offset)
            owner.horizon(progress, end)
            above = await owner.listen(said[shard])
            if above:
                self.claim_above(shard, above)
        context.metrics.consumer_lag_records.labels("signals").set(lag)
        # A partition that no ingest has stated a progress of holds everything back: its age counts from our start.
        known = progress or self._started_at
        context.metrics.progress_age_seconds.set(max(0, context.clock.now_ms() - known) / 1000)
        self._gauge_incidents()

    def _gauge_incidents(self) -> None:
        counted = Counter(
            (incident.doc.score.priority, incident.doc.status)
            for owner in self.owners.values()
            for incident in owner.shard.incidents.values()
            if incident.doc.rule != CANARY_RULE
        )
        for priority in Priority:
            for status in IncidentStatus:
                self.context.metrics.incidents.labels(priority.value, status.value).set(counted[priority, status])
