"""A shard as its owner holds it in memory, and what a turn has changed of it.

Decisions change this state in place and mark what they touched; the owner writes all of it in one script. Where that
script is refused the whole object is thrown away and read again, so a half-decided state is never seen by anyone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from correlator.priority import Extent
from correlator.waiting import WaitingCommand, WaitingCounts
from kernel.clock import Millis
from kernel.config.schema import Config
from kernel.model.alert import Origin, Severity
from kernel.model.incident import IncidentEvent, Seen
from kernel.model.signals import Command
from kernel.model.state import Facts, IncidentDoc, KnownChange, Member, MemberState
from kernel.store.scripts import Change

PARTS: Final = ("members", "facts", "incidents", "waiting", "changes", "timers")
"""The shard's keys after chain and outbox, in the order of the script's KEYS."""
NEVER = 1 << 62
SOURCE_GAP = 1_000
MANY_DROPPED = 1_000


class SourceSeen(msgspec.Struct, array_like=True):
    """The newest arrival of a source, and for each length of silence (in quarter octaves) when the last ended."""

    newest: Millis
    silences: dict[int, Millis] = {}

    def arrived(self, at: Millis) -> None:
        """A message of the source arrived."""
        gap = at - self.newest
        if gap <= 0:
            return
        if gap >= SOURCE_GAP:
            self.silences[math.floor(4 * math.log2(gap / 1_000))] = at
        self.newest = at

    def silence_ended(self, at_least: Millis) -> Millis:
        """When the last silence at least that long ended, 0 where there was none."""
        size = math.ceil(4 * math.log2(max(at_least, SOURCE_GAP) / 1_000))
        return max((at for length, at in self.silences.items() if length >= size), default=0)


class Beat(msgspec.Struct, array_like=True):
    """A heartbeat that is expected: since when, and the arrival and origin of the newest one (0: none ever came).

    `missing` is the time that was the newest when its absence was noticed, `returned` when the last absence ended,
    `every` how often it was expected by the configuration that was in force last.
    """

    source: str
    tenant: str
    since: Millis
    newest: Millis = 0
    origin: Origin | None = None
    missing: Millis | None = None
    returned: Millis = 0
    every: Millis = 0

    @property
    def heard(self) -> Millis:
        """From when on the next one is expected."""
        return max(self.newest, self.since)


@dataclass(slots=True)
class Incident:
    """An incident's document and what is derived from its members."""

    doc: IncidentDoc
    members: set[str] = field(default_factory=set)
    extent: Extent = field(default_factory=Extent)
    first: Millis = 1 << 62
    newest: Millis = 0
    newest_valid: bool = True
    holding: int = 0


@dataclass
class Shard:
    """Everything a shard's owner knows. `time` is the shard's time; `arrival` the newest input applied; `awake_at` the
    wall time at which the owner had taken what waited for it.

    `item` counts the signals taken of the record after `position`, `said` the facts said since the last of them.
    `withdrawn` are the revisions of withdrawals said under this epoch, by incident; the next epoch is above them.
    """

    number: int
    config_hash: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    current: dict[tuple[str, str], str] = field(default_factory=dict)
    live: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    successors: dict[str, set[str]] = field(default_factory=dict)
    sources: dict[str, SourceSeen] = field(default_factory=dict)
    counts: dict[str, WaitingCounts] = field(default_factory=dict)
    commands: dict[str, list[WaitingCommand]] = field(default_factory=dict)
    beats: dict[str, Beat] = field(default_factory=dict)
    changes: dict[str, KnownChange] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    fences: dict[str, str] = field(default_factory=dict)
    timers: dict[str, Millis] = field(default_factory=dict)
    position: int = -1
    item: int = 0
    said: int = 0
    echo: int = 0
    epoch: int = 0
    owner: str = ""
    claimed_at: Millis = 0
    awake_at: Millis = 0
    time: Millis = 0
    arrival: Millis = 0

    withdrawn: dict[str, int] = field(default_factory=dict)
    events: list[IncidentEvent] = field(default_factory=list)
    dead: list[tuple[Command, str]] = field(default_factory=list)
    quiet: dict[str, tuple[Millis, str]] = field(default_factory=dict)
    _heap: list[tuple[Millis, str]] = field(default_factory=list)
    _moved: dict[str, str] = field(default_factory=dict)
    _added: dict[str, int] = field(default_factory=dict)
    _touched: dict[str, set[str]] = field(default_factory=lambda: {part: set() for part in PARTS})

    @property
    def seen(self) -> Seen:
        """How much of the input was taken."""
        return Seen(self.position, self.item, self.said)

    # --- what changed

    def touch(self, part: str, name: str) -> None:
        """This entry has to be written, or removed where it is no longer there."""
        self._touched[part].add(name)

    @property
    def dirty(self) -> bool:
        """Whether anything but positions has to be written."""
        return bool(self.events or self.dead or self.quiet) or any(self._touched.values())

    def fence(self, name: str, value: str) -> None:
        """Nothing up to here is taken again."""
        self.fences[name] = self._moved[name] = value

    def total(self, name: str, n: int) -> None:
        """Add to one of the shard's totals, which the audit reads."""
        self.totals[name] = self.totals.get(name, 0) + n
        self._added[name] = self._added.get(name, 0) + n
        self._moved[f"total:{name}"] = str(self.totals[name])

    def take_added(self) -> dict[str, int]:
        """What was added to the totals since the last call."""
        added, self._added = self._added, {}
        return added

    # --- timers

    def set_timer(self, name: str, due: Millis) -> None:
        """Due at that time; an earlier timer of the name stays, its effect looks at the facts again."""
        old = self.timers.get(name)
        if old is not None and old <= due:
            return
        self.timers[name] = due
        heapq.heappush(self._heap, (due, name))
        self.touch("timers", name)

    def drop_timer(self, name: str) -> None:
        """No longer due."""
        if self.timers.pop(name, None) is not None:
            self.touch("timers", name)
            if len(self._heap) > 2 * len(self.timers) + MANY_DROPPED:
                self.restore_timers(self.timers)

    def due(self, now: Millis) -> str | None:
        """Take the earliest timer that is due by `now`, None where none is."""
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self.timers.get(name) == at:
                del self.timers[name]
                self.touch("timers", name)
                return name
        return None

    def restore_timers(self, timers: Mapping[str, Millis]) -> None:
        """After a load, or where what was dropped has come to be most of the heap."""
        self.timers = dict(timers)
        self._heap = [(due, name) for name, due in timers.items()]
        heapq.heapify(self._heap)

    # --- incidents

    def lives(self, incident: Incident) -> None:
        """An incident is open, or open again: the newest of its group takes what comes."""
        place = (incident.doc.rule, incident.doc.group_key)
        self.current[place] = incident.doc.id
        self.live.setdefault(place, set()).add(incident.doc.id)

    def ceases(self, incident: Incident) -> None:
        """An incident is resolved or merged."""
        place = (incident.doc.rule, incident.doc.group_key)
        names = self.live.get(place)
        if names is not None:
            names.discard(incident.doc.id)
            if not names:
                del self.live[place]

    def newest_firing(self, incident: Incident) -> Millis:
        """The newest observed time of any firing member; NEVER where one of a source that sends once a change fires."""
        if incident.holding > 0:
            return NEVER
        if not incident.newest_valid:
            firing = (self.members[name] for name in incident.members)
            incident.newest = max(
                (m.newest_firing.observed for m in firing if m.state is MemberState.FIRING and m.newest_firing),
                default=0,
            )
            incident.newest_valid = True
        return incident.newest

    def counted(self, member: Member, config: Config, by: int) -> bool:
        """A member starts (1) or ceases (-1) to count as firing in its incident; True where the score may move."""
        incident = self.incidents[member.incident]
        facts = self.facts[member.fingerprint]
        incident.doc.firing += by
        if member.valid_for is None:
            incident.holding += by
        if by > 0 and member.newest_firing is not None:
            incident.newest = max(incident.newest, member.newest_firing.observed)
            if config.priority.trend_members:
                incident.extent.firsts.append(member.first)
            return incident.extent.add(facts.service, facts.labels, member.severity, config)
        incident.newest_valid = False
        return incident.extent.remove(facts.service, facts.labels, member.severity, config)

    def change_severity(self, member: Member, severity: Severity) -> bool:
        """A firing member's severity changes; True where the score may move."""
        extent = self.incidents[member.incident].extent
        member.severity, old = severity, member.severity
        moved = extent.shift(old, severity)
        self.touch("members", member.fingerprint)
        return moved

    # --- one turn's writes

    def take_change(self) -> Change:
        """What has to be written since the last call; the outbox entries are the caller's to add."""
        change = Change()
        change.chain = {"pos": str(self.position), "echo": str(self.echo), **self._moved}
        for index, (part, entries) in enumerate(self._parts(), start=3):
            sets: list[str] = []
            gone: list[str] = []
            for name in self._touched[part]:
                value = entries.get(name)
                if value is None:
                    gone.append(name)
                else:
                    sets += (name, _encode(value))
            change.put(index, sets, gone)
            self._touched[part].clear()
        self._change_timers(change)
        self._moved.clear()
        return change

    def _parts(self) -> list[tuple[str, Mapping[str, object]]]:
        docs = {name: self.incidents[name].doc for name in self._touched["incidents"] if name in self.incidents}
        waiting: dict[str, object] = {}
        for name in self._touched["waiting"]:
            kind, _, key = name.partition(":")
            kinds = {"n": self.counts, "c": self.commands, "s": self.sources, "h": self.beats}
            found = kinds[kind].get(key)  # type: ignore[attr-defined]
            if found:
                waiting[name] = found
        return [
            ("members", self.members),
            ("facts", self.facts),
            ("incidents", docs),
            ("waiting", waiting),
            ("changes", self.changes),
        ]

    def _change_timers(self, change: Change) -> None:
        scores: list[str] = []
        gone: list[str] = []
        for name in self._touched["timers"]:
            due = self.timers.get(name)
            if due is None:
                gone.append(name)
            else:
                scores += (str(due), name)
        change.schedule(len(PARTS) + 2, scores, gone)
        self._touched["timers"].clear()


_encoder = msgspec.json.Encoder()


def _encode(value: object) -> str:
    return _encoder.encode(value).decode("utf-8")
