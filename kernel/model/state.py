"""What a shard keeps in Redis: members and incidents (the correlator's), changes, ledgers (the notifier's).

The owner holds all of it in memory and writes what a turn changed; the gateway reads it, never writes it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from kernel.clock import Millis
from kernel.model.alert import Kind, Severity, Stamp
from kernel.model.change import Change
from kernel.model.delivery import LedgerKey, Outcome
from kernel.model.incident import Headline, IncidentStatus, Priority, Score, Seen, TimelineEntry

STATE_VERSION = 1


class MemberState(StrEnum):
    """What the newest observation says of a member, or that none came for too long."""

    FIRING = "firing"
    RESOLVED = "resolved"
    STALE = "stale"


class Facts(Struct, frozen=True, omit_defaults=True):
    """What does not move with every observation: written on the first full sight and when it changes."""

    stamp: Stamp
    source: str
    name: str
    service: str | None = None
    summary: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    starts_at: Millis | None = None
    tenant: str = "default"
    kind: Kind = Kind.PROBLEM


class Member(Struct, array_like=True):
    """An alert in an incident. `newest_firing` and `newest` order observations; `count` is exact.

    `handled` marks one that still fired when a person resolved its incident: its repeats open nothing until it
    was seen resolved or stale, or its severity rises.
    """

    fingerprint: str
    incident: str
    state: MemberState
    severity: Severity
    newest: Stamp
    newest_firing: Stamp | None
    first: Millis
    count: int = 0
    valid_for: Millis | None = None
    handled: bool = False


class IncidentDoc(Struct, omit_defaults=True):
    """An incident as its shard keeps it.

    `sample` are the fingerprints of its first members (100 at most), `members` how many there are in all; `firing`
    counts those that fire and are not handled, `handled` those that fire although a person resolved the incident.
    `config` is the hash of the configuration that scored it last. `began` is when the episode did: the observation that
    opened it, or its arrival where its sender's clock is ahead; 0 where another version kept the incident.
    """

    id: str
    tenant: str
    rule: str
    group: dict[str, str]
    group_key: str
    status: IncidentStatus
    episode: str
    title: str
    score: Score
    reached: Priority
    opened_at: Millis
    changed_at: Millis
    cause_arrival: Millis
    epoch: int
    revision: int
    sample: list[str] = field(default_factory=list)
    members: int = 0
    firing: int = 0
    handled: int = 0
    count: int = 0
    team: str | None = None
    predecessor: str | None = None
    page_above: Priority | None = None
    quiet: Priority | None = None
    config: str = ""
    lower: Score | None = None
    answered_by: str | None = None
    answers: list[str] = field(default_factory=list)
    resolved_at: Millis | None = None
    closed_at: Millis | None = None
    merged_into: str | None = None
    lower_since: Millis | None = None
    impact_words: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    episodes: list[str] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    explanation: dict[str, str] = field(default_factory=dict)
    began: Millis = 0


class KnownChange(Struct, frozen=True):
    """A change as its shard keeps it: the newest observation, and the earliest time (`when`) of any."""

    change: Change
    first: Millis


class LedgerEntry(Struct, omit_defaults=True):
    """What became of one ledger key.

    `outcome` None: `attempt` waits until `due`. `about`: the row of `attempt` is decided; `by` and `first_offset` name
    the first row of it that was read in `deliveries`. Else: what the newest attempt came to. `cause_arrival` is the
    arrival of the observation that the delivery is about, `seen` that of the fact from which it was decided.
    """

    key: LedgerKey
    attempt: int = 1
    outcome: Outcome | None = None
    by: str = ""
    first_offset: int = -1
    due: Millis = 0
    reason: str = ""
    remote_id: str = ""
    cause_arrival: Millis = 0
    at: Millis = 0
    seen: Seen = Seen()

    @property
    def final(self) -> bool:
        """No further attempt follows."""
        return self.outcome is not None and self.outcome.final


class NotifierDoc(Struct, omit_defaults=True):
    """An incident as the notifier knows it: the newest headline taken and every delivery decided for it, in order.

    `headline` is None where only rows of `deliveries` told of the incident: an older state of the store forgot it.
    """

    incident: str
    epoch: int = 0
    revision: int = 0
    headline: Headline | None = None
    team: str = ""
    team_reason: str = ""
    ledger: list[LedgerEntry] = field(default_factory=list)
