"""Judging records: which alerts go through in full, which are repeats. Gathers into a slice; does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from aiokafka.structs import ConsumerRecord

from ingest.adapters.base import Glance, Message, NotUnderstood, Outcome, Parsed, Reason, Refusal
from ingest.decide import FULL, Mark, decide
from ingest.heartbeats import Beating, Heartbeats
from ingest.partition import RawPartition
from ingest.read import Reader, Route
from ingest.slice import Slice, Todo
from ingest.windows import Windows
from kernel.clock import Millis
from kernel.model.alert import Alert, Origin, Stamp, Status
from kernel.model.naming import shard_of_incident
from kernel.model.signals import ChangeSeen, Command, CommandBody, Passed, Refresh, Transition

log = structlog.get_logger(__name__)


class Judge:
    """Takes raw records into a slice. `may_command` says whether a topic's commands are to be believed."""

    def __init__(self, reader: Reader, windows: Windows, shards: int, may_command: Callable[[str], bool]) -> None:
        self._reader = reader
        self._windows = windows
        self._shards = shards
        self._may_command = may_command
        self._lease = windows.lease
        self._forgets = windows.forgets
        self._known_by = reader.config
        self._heartbeats = Heartbeats(reader.config, reader.shards_of_tenant)

    def refresh(self) -> None:
        """Take over the configuration in force; once a batch, since a record has no time for it."""
        self._reader.refresh()
        self._lease = self._windows.lease
        if self._reader.config is not self._known_by:
            self._known_by = self._reader.config
            self._heartbeats = Heartbeats(self._known_by, self._reader.shards_of_tenant)
        if self._windows.forgets != self._forgets:
            self._forgets = self._windows.forgets
            self._heartbeats.forget()

    def take(self, part: RawPartition, record: ConsumerRecord, out: Slice) -> bool:
        """Judge one record. False where our own code failed on it: it is a dead letter then."""
        source = "other"
        try:
            route = self._reader.route(record)
            source = route.source or "other"
            message = self._reader.message(route, record, part.topic_id)
            glances = self._reader.glance(route, message)
            if glances is not None:
                self._take_glances(part, record, route, message, glances, out)
            else:
                self._take_parsed(part, record, source, self._reader.parse(route, message), out)
        except NotUnderstood as error:
            out.refuse(part.place.topic, source, record, [Refusal(0, error.reason, error.detail)])
        except Exception as error:
            log.exception("a record met an unexpected error", topic=record.topic, offset=record.offset)
            detail = f"{type(error).__name__} in stormfold itself; please report it with this record"
            out.refuse(part.place.topic, source, record, [Refusal(0, Reason.INTERNAL_ERROR, detail)])
            return False
        return True

    def _take_glances(
        self,
        part: RawPartition,
        record: ConsumerRecord,
        route: Route,
        message: Message,
        glances: Sequence[Glance],
        out: Slice,
    ) -> None:
        source = route.source or "other"
        arrival, partition, offset = record.timestamp, record.partition, record.offset
        known, marks, lease = route.known, self._windows.get, self._lease
        parsed: Parsed | None = None
        repeats = older = 0
        for index, glance in enumerate(glances):
            entry = known.get(glance.key)
            mark = marks(entry.fingerprint) if entry is not None else None
            if entry is not None and mark is not None:
                stamp = Stamp(glance.observed, arrival, partition, offset, index)
                reason = decide(mark, glance.status, entry.severity, stamp, lease)
                if reason is Passed.REPEAT or reason is Passed.OLDER:
                    if reason is Passed.REPEAT:
                        mark.stamp = stamp
                        repeats += 1
                    else:
                        older += 1
                    part.counter.add(entry.shard, entry.fingerprint, glance.status, stamp)
                    continue
            if parsed is None:
                parsed = Parsed(Outcome.ALERTS)
            self._take_glance(part, route, message, glance, index, parsed, out)
        if repeats or older:
            out.tallies[source, Passed.REPEAT] += repeats
            out.tallies[source, Passed.OLDER] += older
            out.alerts += repeats + older
        if parsed is None or len(parsed.refusals) < len(glances):
            for beating in self._heartbeats.of_source(source):
                beating.beat(message.origin, arrival, out)
        if parsed is not None:
            out.alerts += parsed.total
            out.took_defaults(source, parsed.defaults)
            if parsed.refusals:
                out.refuse(part.place.topic, source, record, parsed.refusals)

    def _take_glance(
        self,
        part: RawPartition,
        route: Route,
        message: Message,
        glance: Glance,
        index: int,
        parsed: Parsed,
        out: Slice,
    ) -> None:
        """One that is no plain repeat. Heartbeats too: without a mark they leave the way of repeats as it is."""
        source = route.source or "other"
        entry = route.known.get(glance.key)
        if entry is not None and entry.beating is not None:
            self._beat(entry.beating, glance.status, message.origin_of(index), message.arrival, source, out)
            return
        alert = self._reader.build(route, message, glance, index, parsed)
        if alert is None:
            return
        beating = self._heartbeats.of_alert(alert)
        if beating is None:
            out.todo.append(Todo(alert, self._reader.shard(alert), source, part.counter))
        else:
            route.known[glance.key].beating = beating
            # It may have been an alert like others until a reload, and would go on as a repeat of that.
            self._windows.drop(alert.fingerprint)
            self._beat(beating, alert.status, alert.origin, message.arrival, source, out)

    def _take_parsed(self, part: RawPartition, record: ConsumerRecord, source: str, parsed: Parsed, out: Slice) -> None:
        out.alerts += parsed.total
        out.took_defaults(source, parsed.defaults)
        origin, arrival = Origin(part.topic_id, record.partition, record.offset, 0), record.timestamp
        said_by = parsed.source or source
        if parsed.understood:
            for beating in self._heartbeats.of_source(said_by):
                beating.beat(origin, arrival, out)
        for name in parsed.heartbeats:
            self._named(said_by, name, origin, arrival, out)
        for alert in parsed.alerts:
            found = self._heartbeats.of_alert(alert)
            if found is not None:
                self._beat(found, alert.status, alert.origin, arrival, source, out)
                continue
            out.todo.append(Todo(alert, self._reader.shard(alert), source, part.counter))
        for change in parsed.changes:
            # No window holds changes back: there are few, and the newest observation of one wins.
            out.signal(self._reader.shard_of(change.tenant, change.labels), ChangeSeen(change), record.timestamp)
            out.tallies[source, "change"] += 1
        if parsed.refusals:
            out.refuse(part.place.topic, source, record, parsed.refusals)
        for item, command in enumerate(parsed.commands):
            self._take_command(part, record, item, command, out)
        if not (parsed.total or parsed.commands or parsed.heartbeats):
            out.tallies[source, "ignored"] += 1

    def _beat(self, beating: Beating, status: Status, origin: Origin, arrival: Millis, source: str, out: Slice) -> None:
        """An alert that is a heartbeat: it opens nothing. Resolved, it says that it will not come any more."""
        out.tallies[source, "heartbeat"] += 1
        if status is Status.FIRING:
            beating.beat(origin, arrival, out)

    def _named(self, source: str, name: str, origin: Origin, arrival: Millis, out: Slice) -> None:
        """A message that is a heartbeat by its name; one that nobody expects is nothing."""
        beating = self._heartbeats.named(source, name)
        out.tallies[source, "ignored" if beating is None else "heartbeat"] += 1
        if beating is not None:
            beating.beat(origin, arrival, out)

    def _take_command(
        self, part: RawPartition, record: ConsumerRecord, item: int, body: CommandBody, out: Slice
    ) -> None:
        shards = self._shards_meant(body)
        if not self._may_command(part.place.topic):
            reason, detail = Reason.COMMAND_NOT_ALLOWED, "commands are taken from answers.raw only, through the gateway"
        elif not shards:
            reason, detail = Reason.MISSING_IDENTITY, f"{body.incident!r} is no id of an incident of this deployment"
        else:
            command = Command(
                body.id,
                body.verb,
                body.incident,
                body.by,
                Origin(part.topic_id, record.partition, record.offset, item),
                record.timestamp,
                body.note,
                body.alert,
                body.episode,
                body.tenant,
                broad=len(shards) > 1,
            )
            for shard in shards:
                out.signal(shard, command, record.timestamp)
            out.commands[body.verb, "taken"] += 1
            return
        out.refuse(part.place.topic, "other", record, [Refusal(item, reason, detail)])
        out.commands[body.verb, "dead"] += 1

    def _shards_meant(self, body: CommandBody) -> Sequence[int]:
        """Where a command goes: its incident's shard; that of its alert's domain, or all where labels make domains."""
        if body.alert:
            return self._reader.shards_of_tenant(body.tenant)
        shard = shard_of_incident(body.incident)
        return () if shard is None or shard >= self._shards else (shard,)

    async def settle(self, out: Slice) -> None:
        """Look up what memory lacks, then decide every waiting alert in order."""
        if not out.todo:
            return
        await self._windows.look_up((t.shard, t.alert.fingerprint, t.alert.received_at) for t in out.todo)
        for todo in out.todo:
            self._decide(todo.alert, todo, out)
        out.todo.clear()

    def _decide(self, alert: Alert, todo: Todo, out: Slice) -> None:
        stamp = alert.stamp
        mark = self._windows.get(alert.fingerprint)
        reason = decide(mark, alert.status, alert.severity, stamp, self._lease)
        todo.counter.add(todo.shard, alert.fingerprint, alert.status, stamp)
        out.tallies[todo.source, reason] += 1
        if reason in FULL:
            signal = Refresh(alert) if reason is Passed.LEASE_EXPIRED else Transition(alert, reason)
            out.signal(todo.shard, signal, alert.received_at)
            new = Mark(alert.status, alert.severity, stamp, alert.received_at)
            # What is written must say no more than what was emitted, while the one in memory moves on with repeats.
            self._windows.set(alert.fingerprint, new)
            out.marks.append((todo.shard, alert.fingerprint, Mark(alert.status, alert.severity, stamp, new.leased)))
        elif reason is Passed.REPEAT and mark is not None:
            mark.stamp = stamp
