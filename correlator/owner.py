"""One shard's owner: its chain, its memory, and one turn after the other."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from correlator.decide import Decider
from correlator.load import load
from correlator.state import PARTS, Shard
from kernel.bus.publisher import Record, fitting, publish
from kernel.bus.tail import Tail
from kernel.chain import Chain, ChainSteps, Entry
from kernel.clock import Millis
from kernel.context import Context
from kernel.model.codec import Undecodable, decode_incidents, decode_signals, encode
from kernel.model.incident import IncidentEvent, IncidentRecord
from kernel.model.naming import shard_tag
from kernel.model.own import CANARY_RULE
from kernel.model.signals import MAX_RECORD_BYTES, MAX_SIGNALS, Command, CommandBody, CommandEnvelope
from kernel.shards import BadRecord
from kernel.steps import Step
from kernel.store.scripts import Change

log = structlog.get_logger(__name__)

STEPS = ChainSteps(
    Step.CORRELATOR_CLAIMED,
    Step.CORRELATOR_DRAINED,
    Step.CORRELATOR_APPLIED,
    Step.CORRELATOR_PUBLISHED,
    Step.CORRELATOR_TRIMMED,
)
PULSE = 1.0
AWAY_MS = 5_000
"""An owner that took no turn for so long was away itself; no longer than the shortest patience with what is missing."""
INCIDENTS, DEAD = "i", "d"


class ShardOwner:
    """Owns one shard from its claim until the claim is over."""

    def __init__(self, context: Context, number: int, producer: AIOKafkaProducer, incidents: Tail) -> None:
        self._context = context
        self.number = number
        self._producer = producer
        self._incidents = incidents
        keys = [context.keys.correlator(number, part) for part in ("chain", "outbox", *PARTS)]
        self._chain = Chain(context, number, keys, STEPS, self._publish, "correlator")
        self.shard = Shard(number)
        self._decider: Decider | None = None
        self._decided_with = ""
        self._horizon: tuple[Millis, int] = (0, 0)
        self._hears_from: int | None = None
        self._waited: int | None = None
        self._turned_at = 0

    async def claim(self, lowest: int, topics: str, fresh: dict[str, str] | None) -> None:
        """Claim, drain, load. Raises as Chain.claim, and ClaimOver."""
        claimed_at = self._context.clock.now_ms()
        fields = await self._chain.claim(lowest, topics, fresh)
        await self._chain.drain()
        config = self._context.config()
        self.shard = await load(
            self._context.store, self._context.keys, self.number, fields, config, claimed_at, self._chain.confirm
        )
        self._decider = None
        self._hears_from = self._waited = None
        await self._context.steps.at(Step.CORRELATOR_LOADED, self.number)

    @property
    def next_offset(self) -> int:
        """Where to read `signals` on."""
        return self.shard.position + 1

    @property
    def due(self) -> bool:
        """Without input an owner takes an empty turn every second, so that it notices what became of the store."""
        return self._context.clock.monotonic() - self._chain.last_turn >= PULSE

    async def let_go(self) -> None:
        """Nothing is under way between turns."""

    def horizon(self, progress: Millis, end: int) -> None:
        """Raw input is cut up to `progress`, and what came of it lies before `end` of this shard's `signals`."""
        self._horizon = (progress, end)
        if self._waited is None:
            self._waited = end

    async def turn(self, records: Sequence[ConsumerRecord], poisonous: set[int]) -> None:
        """Take records (possibly none) and what time brings, in one script; tell what came of it.

        Raises ClaimOver, and BadRecord where the memory can no longer be trusted.
        """
        decider = self._decide_with()
        dead: list[tuple[bytes, str]] = []
        alerts = 0
        for record in records:
            alerts += self._take(decider, record, poisonous, dead)
            self.shard.position = record.offset
        decider.advance(self._time())
        now = self._context.clock.now_ms()
        self._wake(now)
        decider.look(now, self._sure())
        decider.finish()
        if not (records or self.shard.dirty or self.due):
            return
        await self._context.steps.at(Step.CORRELATOR_DECIDED, self.number)
        await self._write(dead)
        if alerts:
            self._context.metrics.batch_alerts.labels("correlator").observe(alerts)

    def _decide_with(self) -> Decider:
        config_hash = self._context.config_hash()
        if self._decider is None or self._decided_with != config_hash:
            shards = self._context.settings.shards
            self._decider = Decider(self.shard, self._context.config(), config_hash, shards)
            self._decided_with = config_hash
        return self._decider

    def _take(
        self, decider: Decider, record: ConsumerRecord, poisonous: set[int], dead: list[tuple[bytes, str]]
    ) -> int:
        if record.offset in poisonous:
            dead.append((record.value, "internal_error"))
            return 0
        try:
            return decider.take(decode_signals(record.value))
        except Undecodable as error:
            log.exception("a record of signals is not readable", shard=self.number, offset=record.offset)
            dead.append((record.value, f"wrong_type: {error}"))
            return 0
        except Exception as error:
            # The boundary at which a bug of ours becomes a dead letter instead of a shard that never moves again.
            log.exception("a record of signals met an unexpected error", shard=self.number, offset=record.offset)
            raise BadRecord(record.offset) from error

    def _wake(self, now: Millis) -> None:
        """Until what waited for this owner is taken, after its claim and after it was away, nothing is late."""
        if now - self._turned_at > AWAY_MS:
            self._waited = None
        self._turned_at = now
        if self._waited is None or self.next_offset < self._waited:
            self.shard.awake_at = now

    def _time(self) -> Millis:
        """The progress where everything up to it is applied, else the newest input applied, whichever is less."""
        progress, end = self._horizon
        if self.shard.position + 1 >= end:
            return progress
        return min(progress, self.shard.arrival)

    def _sure(self) -> Millis:
        """Up to when all input is applied: what would page asks for more than the newest of what was applied."""
        progress, end = self._horizon
        return progress if self.shard.position + 1 >= end else 0

    async def _write(self, dead: Sequence[tuple[bytes, str]]) -> None:
        events = list(self.shard.events)
        added = self.shard.take_added()
        change = self.shard.take_change()
        self._tell(change, events, dead)
        self.shard.events.clear()
        self.shard.dead.clear()
        await self._chain.turn(change)
        metrics = self._context.metrics
        for event in events:
            if event.headline.rule == CANARY_RULE:
                continue
            metrics.incident_facts_total.labels(event.fact.value).inc()
        for name, n in added.items():
            if name == "inexact_ranges":
                metrics.inexact_ranges_total.inc(n)
            elif name.startswith("unattributed:"):
                metrics.unattributed_alerts_total.labels(name.partition(":")[2]).inc(n)
            elif name.startswith("commands:"):
                _, verb, outcome = name.split(":")
                metrics.commands_total.labels(verb, outcome).inc(n)

    def _tell(self, change: Change, events: Sequence[IncidentEvent], dead: Sequence[tuple[bytes, str]]) -> None:
        epoch, owner = self._chain.epoch, self._chain.owner
        for value in fitting(
            events,
            lambda part: encode(IncidentRecord(self.number, epoch, owner, tuple(part))),
            MAX_SIGNALS,
            MAX_RECORD_BYTES,
        ):
            change.out += (INCIDENTS, value.decode("utf-8"))
        for command, reason in self.shard.dead:
            self._context.metrics.commands_total.labels(command.verb.value, "expired").inc()
            change.out += (DEAD, _dead_command(command, reason))
        for value, reason in dead:
            self._context.metrics.dead_letters_total.labels("other", reason.partition(":")[0], "correlator").inc()
            change.out += (DEAD, _dead(value, reason))

    async def _publish(self, entries: Sequence[Entry]) -> None:
        names = self._context.topics
        facts = [Record(payload) for topic, payload in entries if topic == INCIDENTS]
        if facts:
            offsets = await publish(self._producer, names.incidents, self.number, facts)
            if offsets[0] == self.shard.echo and offsets[-1] - offsets[0] == len(offsets) - 1:
                self.shard.echo = offsets[-1] + 1
        dead = [_dead_record(payload, self.number) for topic, payload in entries if topic == DEAD]
        for record in dead:
            await self._producer.send_and_wait(names.dead, record.value, headers=list(record.headers))

    async def listen(self, end: int) -> int:
        """Read what others published in this shard's name up to `end`; returns an epoch to claim above, else 0.

        First the owner takes everything that was in `signals` when it first looked: an incident that it is about to
        open again from there must not be withdrawn before.
        """
        if self._hears_from is None:
            self._hears_from = self._horizon[1]
        if end <= self.shard.echo or self.next_offset < self._hears_from:
            return 0
        records, _ = await self._incidents.read(self.number, self.shard.echo, end)
        heard = []
        for record in records:
            try:
                heard.append(decode_incidents(record.value))
            except Undecodable:
                log.exception("a record of incidents is not readable", shard=self.number, offset=record.offset)
        above = self._decide_with().heard(heard)
        self.shard.echo = max(self.shard.echo, end)
        return above


def _dead_command(command: Command, reason: str) -> str:
    body = CommandEnvelope(
        CommandBody(
            id=command.id,
            verb=command.verb,
            incident=command.incident,
            by=command.by,
            note=command.note,
            alert=command.alert,
            episode=command.episode,
            tenant=command.tenant,
        )
    )
    headers = {
        "source": "stormfold",
        "reason": "command_expired",
        "origin-topic": "answers.raw",
        "origin-partition": str(command.origin.partition),
        "origin-offset": str(command.origin.offset),
        "detail": orjson.dumps([{"index": command.origin.item, "detail": reason}]).decode(),
    }
    return orjson.dumps({"value": encode(body).decode(), "headers": headers}).decode()


def _dead(value: bytes, reason: str) -> str:
    word, _, detail = reason.partition(":")
    headers = {"reason": word, "detail": orjson.dumps([{"index": 0, "detail": detail.strip()}]).decode()}
    return orjson.dumps({"value": value.decode("utf-8", "replace"), "headers": headers}).decode()


def _dead_record(payload: bytes, shard: int) -> Record:
    parts = orjson.loads(payload)
    headers = [(name, value.encode()) for name, value in parts["headers"].items()]
    headers += [("stage", b"correlator"), ("shard", shard_tag(shard).encode()), ("attempt", b"1"), ("alerts", b"1")]
    return Record(parts["value"].encode(), None, headers)
