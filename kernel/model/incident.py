"""An incident, its headline and the facts that `incidents` carries."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field

from kernel.clock import Millis
from kernel.model.alert import Severity

SCHEMA_VERSION = 1


class IncidentStatus(StrEnum):
    """The life of an incident; `withdrawn` is said of one that its shard no longer knows."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"

    @property
    def live(self) -> bool:
        """Open or acknowledged: somebody has work to do."""
        return self in (IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED)


class Priority(StrEnum):
    """P1 (most urgent) to P4; acknowledge within 5 min, 30 min, 2 h, 24 h."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    @property
    def rank(self) -> int:
        """1 for P1 to 4 for P4."""
        return int(self.value[1])


class Level(StrEnum):
    """A level of impact or of urgency."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Score(Struct, frozen=True):
    """A priority and why: impact and urgency, each with its reasons in words."""

    priority: Priority
    impact: Level
    urgency: Level
    impact_reasons: tuple[str, ...] = ()
    urgency_reasons: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reasons, impact first."""
        return self.impact_reasons + self.urgency_reasons


class Fact(StrEnum):
    """What happened to an incident; readers decide from the headline, never from this name."""

    OPENED = "opened"
    JOINED = "joined"
    RAISED = "raised"
    LOWERED = "lowered"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    NOTED = "noted"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    REPEATED = "repeated"


class Headline(Struct, frozen=True, omit_defaults=True):
    """The whole state of an incident in one screen: a reader may miss every event but the last.

    `reached` is the most urgent priority of the episode; `page_above`, where set, is the priority already paged
    for an unresolved predecessor: only a more urgent one pages. `quiet` is the priority that was reached by a new
    configuration alone: it pages nobody. `cause_arrival` is the arrival of the observation that caused the event;
    `handled` are members that still fire although a person resolved the incident.
    """

    id: str
    tenant: str
    status: IncidentStatus
    episode: str
    rule: str
    group: dict[str, str]
    title: str
    priority: Priority
    reached: Priority
    score: Score
    opened_at: Millis
    changed_at: Millis
    cause_arrival: Millis
    firing: int = 0
    members: int = 0
    count: int = 0
    services: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    team: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    severity: Severity = Severity.INFO
    summary: str = ""
    page_above: Priority | None = None
    quiet: Priority | None = None
    handled: int = 0
    predecessor: str | None = None
    answered_by: str | None = None
    links: tuple[tuple[str, str], ...] = ()


class Seen(NamedTuple):
    """How much input had been taken: all of `signals` up to `offset`, and `item` signals of the record after it.

    `fact` counts what was said from there on: one signal may end an episode and open the next.
    """

    offset: int = -1
    item: int = 0
    fact: int = 0


class IncidentEvent(Struct, frozen=True):
    """One fact; `(epoch, revision)` orders the facts of an incident.

    `seen` is the input that it was decided from: what is said again after an older state came back knows nothing of
    what had been decided from later input.
    """

    fact: Fact
    epoch: int
    revision: int
    at: Millis
    reason: str
    headline: Headline
    seen: Seen = Seen()


class IncidentRecord(Struct, frozen=True):
    """One record of `incidents`: facts of one shard in order, by the owner that decided them."""

    shard: int
    epoch: int
    owner: str
    events: tuple[IncidentEvent, ...]
    v: int = SCHEMA_VERSION


class TimelineEntry(Struct, frozen=True, array_like=True):
    """When, what and why, as shown to people."""

    at: Millis
    what: str
    why: str
