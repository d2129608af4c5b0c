"""The ledger: what is owed to whom for an incident, and what the rows of `deliveries` say became of it.

Pure functions of headline, ledger and rows. A key is owed at most once; which attempt of it is under way, and who may
send it, follows from the first row of that attempt in the partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.delivery import Action, DeliveryRow, LedgerKey, Outcome
from kernel.model.incident import Headline, IncidentEvent, IncidentStatus, Priority
from kernel.model.state import LedgerEntry, NotifierDoc
from notifier.pace import jitter, next_attempt_at
from notifier.routes import Routed, route

KeyedByPriority = Callable[[str], bool]
Supports = Callable[[str, Action], bool]

CALLS = (Action.PAGE, Action.UPDATE)
"""Deliveries that tell somebody of an incident, and that a resolve has to take back."""


class Ledger:
    """Decides for one incident under one configuration.

    `keyed_by_priority` and `supports` say what a target's channel can do.
    """

    def __init__(self, config: Config, keyed_by_priority: KeyedByPriority, supports: Supports) -> None:
        self._config = config
        self._keyed = keyed_by_priority
        self._supports = supports

    def take(self, doc: NotifierDoc, event: IncidentEvent) -> list[LedgerEntry]:
        """A fact about the incident; returns the new entries. What is not newer than what is known changes nothing."""
        if (event.epoch, event.revision) <= (doc.epoch, doc.revision):
            return []
        doc.epoch, doc.revision, doc.headline = event.epoch, event.revision, event.headline
        line = event.headline
        routed = route(line, self._config)
        doc.team, doc.team_reason = routed.team or "", routed.reason
        before = len(doc.ledger)
        # In order, each seeing the ones before: a new priority is triggered, then the old one is resolved.
        for owed in (self._calls, self._acknowledgements, self._resolves):
            keys = list(owed(doc, event, routed))
            doc.ledger += [LedgerEntry(key, cause_arrival=line.cause_arrival, seen=event.seen) for key in keys]
        return doc.ledger[before:]

    def _calls(self, doc: NotifierDoc, event: IncidentEvent, routed: Routed) -> Iterator[LedgerKey]:
        """A page, or an update, for the priority reached, unless one as urgent went out in this episode."""
        line = event.headline
        if line.status is not IncidentStatus.OPEN:
            return
        reached = line.reached
        called = [e.key for e in doc.ledger if e.key.episode == line.episode and e.key.action in CALLS]
        if any(key.priority.rank <= reached.rank for key in called):
            return
        if line.quiet is reached or (line.page_above is not None and reached.rank >= line.page_above.rank):
            return
        if line.priority is not reached:
            # It fell since: who is called follows from what it had reached.
            routed = route(_at(line, reached), self._config)
        for target in routed.targets:
            yield LedgerKey(line.id, line.episode, routed.action, reached, 0, target)

    def _acknowledgements(self, doc: NotifierDoc, event: IncidentEvent, _: Routed) -> Iterator[LedgerKey]:
        line = event.headline
        if line.status is not IncidentStatus.ACKNOWLEDGED:
            return
        have = {(e.key.priority, e.key.target) for e in doc.ledger if _is(e, line.episode, Action.ACKNOWLEDGE)}
        for entry in doc.ledger:
            key = entry.key
            if not _is(entry, line.episode, Action.PAGE) or (key.priority, key.target) in have or _later(entry, event):
                continue
            if self._supports(key.target, Action.ACKNOWLEDGE):
                have.add((key.priority, key.target))
                yield LedgerKey(key.incident, key.episode, Action.ACKNOWLEDGE, key.priority, key.step, key.target)

    def _resolves(self, doc: NotifierDoc, event: IncidentEvent, _: Routed) -> Iterator[LedgerKey]:
        line = event.headline
        yield from self._taken_back(
            doc,
            lambda entry: not line.status.live if entry.key.episode == line.episode else not _later(entry, event),
        )
        if line.status.live:
            yield from self._replaced(doc, line)

    def _replaced(self, doc: NotifierDoc, line: Headline) -> Iterator[LedgerKey]:
        """Where each priority is a remote object of its own, the new one is triggered, then the old one resolved."""
        for entry in doc.ledger:
            key = entry.key
            older = key.episode == line.episode and key.action in CALLS and key.priority.rank > line.reached.rank
            if (
                older
                and self._keyed(key.target)
                and any(
                    e.key.target == key.target and e.key.action in CALLS and e.key.priority is line.reached
                    for e in doc.ledger
                )
            ):
                yield from self._resolve_of(doc, key)

    def _taken_back(self, doc: NotifierDoc, chosen: Callable[[LedgerEntry], bool]) -> Iterator[LedgerKey]:
        """A resolve for everything that told somebody and was not taken back yet."""
        said: set[LedgerKey] = set()
        for entry in doc.ledger:
            if entry.key.action in CALLS and chosen(entry) and entry.outcome is not Outcome.FAILED:
                for key in self._resolve_of(doc, entry.key):
                    if key not in said:
                        said.add(key)
                        yield key

    def _resolve_of(self, doc: NotifierDoc, call: LedgerKey) -> Iterator[LedgerKey]:
        if not self._supports(call.target, Action.RESOLVE):
            return
        if self._keyed(call.target):
            priority = call.priority
        else:
            same = (e.key for e in doc.ledger if e.key.episode == call.episode and e.key.target == call.target)
            priority = min((key.priority for key in same if key.action in CALLS), key=lambda p: p.rank)
        key = LedgerKey(call.incident, call.episode, Action.RESOLVE, priority, call.step, call.target)
        if all(entry.key != key for entry in doc.ledger):
            yield key

    # --- attempts

    def after(self, doc: NotifierDoc, entry: LedgerEntry, now: Millis) -> list[LedgerEntry]:
        """What follows from an outcome that was read: another attempt, or the fallback. Returns new entries."""
        if entry.outcome is Outcome.RETRY:
            rand = jitter(entry.key.delivery_id, entry.attempt)
            again(entry, max(entry.due, next_attempt_at(entry.attempt, now, 0, rand)))
        elif entry.outcome is Outcome.NOT_SENT:
            again(entry, now)
        elif entry.outcome in (Outcome.FAILED, Outcome.UNKNOWN) and entry.key.action is Action.PAGE:
            return self._fall_back(doc, entry)
        return []

    def _fall_back(self, doc: NotifierDoc, entry: LedgerEntry) -> list[LedgerEntry]:
        if doc.headline is None or entry.key.step > 0:
            return []
        key = entry.key
        routed = route(_at(doc.headline, key.priority), self._config)
        have = {e.key for e in doc.ledger}
        keys = (LedgerKey(key.incident, key.episode, key.action, key.priority, 1, name) for name in routed.fallback)
        new = [LedgerEntry(k, cause_arrival=entry.cause_arrival, seen=entry.seen) for k in keys if k not in have]
        doc.ledger += new
        return new


def _later(entry: LedgerEntry, event: IncidentEvent) -> bool:
    """Whether the delivery was decided from input that the fact has not seen: the fact is an older one, told again
    after a store was set back, and the incident's next episodes and priorities are still to come.
    """
    return entry.seen > event.seen


def _is(entry: LedgerEntry, episode: str, action: Action) -> bool:
    return entry.key.episode == episode and entry.key.action is action


def _at(line: Headline, priority: Priority) -> Headline:
    return replace(line, priority=priority)


def again(entry: LedgerEntry, due: Millis) -> None:
    """Another attempt, at `due` or later."""
    entry.attempt += 1
    entry.outcome = None
    entry.by, entry.first_offset = "", -1
    entry.due = due


def find(doc: NotifierDoc, key: LedgerKey) -> LedgerEntry | None:
    """The entry of a key."""
    return next((entry for entry in doc.ledger if entry.key == key), None)


def read_row(doc: NotifierDoc, row: DeliveryRow, offset: int) -> LedgerEntry | None:
    """A row of `deliveries`, in the order of the partition; returns the entry if the row gave it an outcome.

    An `about` row sets the attempt, and the first one of it who may send. Any other row is the outcome, which nothing
    but `sent` overrules, and nothing overrules `sent`.
    """
    entry = find(doc, row.key)
    if entry is None:
        entry = LedgerEntry(row.key, row.attempt, at=row.at, seen=row.seen)
        doc.ledger.append(entry)
    if row.outcome is Outcome.ABOUT:
        if row.attempt > entry.attempt or (row.attempt == entry.attempt and entry.outcome is None):
            if entry.final:
                return None
            entry.attempt, entry.outcome = row.attempt, Outcome.ABOUT
            entry.by, entry.first_offset, entry.at = row.owner, offset, row.at
        elif row.attempt == entry.attempt and entry.outcome is Outcome.ABOUT and entry.first_offset < 0:
            entry.by, entry.first_offset, entry.at = row.owner, offset, row.at
        return None
    if entry.outcome is Outcome.SENT or (entry.final and row.outcome is not Outcome.SENT):
        return None
    if row.attempt < entry.attempt and row.outcome is not Outcome.SENT:
        return None
    entry.attempt = max(entry.attempt, row.attempt)
    entry.outcome, entry.reason, entry.remote_id, entry.at = row.outcome, row.reason, row.remote_id, row.at
    entry.due = row.at + row.retry_after_ms if row.retry_after_ms else 0
    return entry


def blocked(doc: NotifierDoc, entry: LedgerEntry) -> bool:
    """Whether an earlier delivery of this incident to the same target is not over yet: order is kept per target."""
    for earlier in doc.ledger:
        if earlier is entry:
            return False
        if earlier.key.target == entry.key.target and not earlier.final:
            return True
    return False


def pointless(doc: NotifierDoc, entry: LedgerEntry) -> bool:
    """A resolve or acknowledge of a call that never reached its target: there is nothing to take back."""
    key = entry.key
    if key.action in CALLS:
        return False
    calls = [
        e for e in doc.ledger if e.key.action in CALLS and (e.key.episode, e.key.target) == (key.episode, key.target)
    ]
    return bool(calls) and all(e.outcome is Outcome.FAILED for e in calls)
