"""What a run came to, when it is over, and how it differs from another one over the same raw topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kernel.bus.topic_ids import TopicInfo
from kernel.bus.topics import TopicNames
from kernel.config.settings import Settings
from kernel.store.client import RedisStore
from kernel.store.keys import Keys
from tests.pipeline.harness import Pipeline, State


@dataclass
class Observer:
    """Looks at any number of deployments through one client each."""

    reader: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    store: RedisStore
    raw: dict[str, TopicInfo]

    async def cut(self, settings: Settings) -> bool:
        """Whether ingest has counted everything there is."""
        keys = Keys(settings.namespace)
        for name, info in self.raw.items():
            ends = await self._ends(name, info.partitions)
            for number, end in enumerate(ends):
                if int(await self.store.hget(keys.cut(info.id, number), "done") or -1) != end:
                    return False
        return True

    async def correlated(self, settings: Settings) -> bool:
        """Whether the correlator has taken and told everything there is."""
        topic = TopicNames.with_prefix(settings.topic_prefix, settings.downstream_prefix).signals
        keys = Keys(settings.namespace)
        for shard, end in enumerate(await self._ends(topic, settings.shards)):
            chain = await self.store.hgetall(keys.correlator(shard, "chain"))
            if int(chain.get(b"pos", b"-2")) + 1 != end or await self.store.stream(keys.correlator(shard, "outbox"), 1):
                return False
        return True

    async def delivered(self, settings: Settings) -> bool:
        """Whether the notifier has taken, sent and noted everything there is."""
        names = TopicNames.with_prefix(settings.topic_prefix, settings.downstream_prefix)
        keys = Keys(settings.namespace)
        facts = await self._ends(names.incidents, settings.shards)
        rows = await self._ends(names.deliveries, settings.shards)
        for shard, (fact, row) in enumerate(zip(facts, rows, strict=True)):
            chain = await self.store.hgetall(keys.notifier(shard, "chain"))
            if (int(chain.get(b"pos", b"-2")) + 1, int(chain.get(b"dpos", b"-1"))) != (fact, row):
                return False
            if await self.store.stream(keys.notifier(shard, "outbox"), 1):
                return False
        return True

    async def settled(self, pipeline: Pipeline) -> bool:
        """Whether nothing is left to do anywhere."""
        settings = pipeline.settings
        if not (await self.cut(settings) and await self.correlated(settings) and await self.delivered(settings)):
            return False
        ledgers = (await pipeline.state()).ledgers.values()
        return all(entry.final for doc in ledgers for entry in doc.ledger)

    async def members(self, group: str) -> int:
        """How many members a consumer group has, 0 while it rebalances."""
        answers = await self.admin.describe_consumer_groups([group])
        _, _, state, _, _, members, *_ = answers[0].groups[0]
        return len(members) if state == "Stable" else 0

    async def _ends(self, topic: str, partitions: int) -> Sequence[int]:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        found = await self.reader.end_offsets(places)
        return [found[place] for place in places]


@dataclass(frozen=True)
class Result:
    """A run's end: incidents and members, deliveries, dead letters, totals; each by what names it."""

    incidents: dict[str, Any]
    deliveries: dict[str, Any]
    dead: frozenset[tuple[str, ...]]
    totals: dict[str, int]
    count: int

    def exact(self) -> dict[str, Any]:
        """Everything under its id."""
        return {"incidents": self.incidents, "deliveries": self.deliveries, "dead": self.dead, "totals": self.totals}

    def loose(self) -> dict[str, Any]:
        """Without ids: incidents by (rule, group key, members, states, counts, final priority, team), deliveries by
        (rule, group key, action, final priority, target)."""
        incidents = Counter(
            (i["rule"], i["group"], i["members"], i["status"], i["count"], i["priority"], i["team"])
            for i in self.incidents.values()
        )
        deliveries = {
            (i["rule"], i["group"], d["action"], i["priority"], d["target"])
            for d in self.deliveries.values()
            for i in (self.incidents[d["incident"]],)
        }
        return {"incidents": incidents, "deliveries": deliveries, "dead": self.dead, "totals": self.totals}


async def result(pipeline: Pipeline) -> Result:
    """Read it from the store and from the topics."""
    state = await pipeline.state()
    dead = frozenset(
        tuple(headers.get(name, "") for name in ("origin-topic", "origin-partition", "origin-offset", "reason"))
        for headers, _ in await pipeline.dead()
    )
    return Result(_incidents(state), _deliveries(state), dead, dict(state.totals), state.count)


def _incidents(state: State) -> dict[str, Any]:
    members: dict[str, list[tuple[Any, ...]]] = {}
    for m in state.members.values():
        members.setdefault(m.incident, []).append((m.fingerprint, m.state, m.severity, m.handled, m.count))
    return {
        doc.id: {
            "rule": doc.rule,
            "group": doc.group_key,
            "status": doc.status,
            "priority": doc.score.priority,
            "reached": doc.reached,
            "episodes": doc.episodes,
            "members": tuple(sorted(members.get(doc.id, []))),
            "firing": (doc.members, doc.firing, doc.handled),
            "count": doc.count,
            "team": state.ledgers[doc.id].team if doc.id in state.ledgers else None,
            "answers": doc.answers,
        }
        for doc in state.incidents.values()
    }


def _deliveries(state: State) -> dict[str, Any]:
    return {
        entry.key.delivery_id: {
            "incident": entry.key.incident,
            "action": entry.key.action,
            "priority": entry.key.priority,
            "target": entry.key.target,
            "outcome": entry.outcome,
        }
        for doc in state.ledgers.values()
        for entry in doc.ledger
    }


def differences(wanted: Any, found: Any, where: str = "") -> list[str]:
    """Where two results differ, a line each."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        lines = []
        for key in sorted(wanted.keys() | found.keys(), key=str):
            lines += differences(wanted.get(key, "nothing"), found.get(key, "nothing"), f"{where}/{key}")
        return lines
    if isinstance(wanted, set | frozenset) and isinstance(found, set | frozenset):
        return [f"{where}: lacks {x}" for x in wanted - found] + [f"{where}: more {x}" for x in found - wanted]
    return [] if wanted == found else [f"{where}: {found!r} instead of {wanted!r}"]
