"""An alert as every part of stormfold sees it, and the order of observations."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct, field

from kernel.clock import Millis


class Kind(StrEnum):
    """What a raw message reports."""

    PROBLEM = "problem"
    CHANGE = "change"
    REPORT = "report"
    HEARTBEAT = "heartbeat"


class Status(StrEnum):
    """What an observation says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """Severity, most severe first; an unknown word of a vendor is mapped by rule or reported, never lowered."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for critical to 4 for info."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Origin(NamedTuple):
    """Where on Kafka an alert came from: the raw topic's id (32 hex digits), partition, offset, place in the body."""

    topic: str
    partition: int
    offset: int
    item: int


class Stamp(NamedTuple):
    """The order of observations: newer is greater, and no two observations of one topic are equal.

    `observed` is the sender's time (clamped) where the vendor gives one with every message, else the arrival;
    `arrival` is the Kafka record's timestamp; the rest is the place on Kafka and breaks ties.
    """

    observed: Millis
    arrival: Millis
    partition: int
    offset: int
    item: int


class Link(Struct, frozen=True, array_like=True):
    """A link shown with an alert: what it is, where it leads."""

    text: str
    href: str


class Alert(Struct, frozen=True, omit_defaults=True):
    """One normalised observation of one alert.

    `fingerprint` is 32 lower-case hex digits; times are milliseconds; `valid_for` (ms after arrival) is how long
    a firing observation stands without being repeated, None where the source sends once a change.
    """

    source: str
    fingerprint: str
    name: str
    status: Status
    severity: Severity
    observed_at: Millis
    received_at: Millis
    origin: Origin
    tenant: str = "default"
    kind: Kind = Kind.PROBLEM
    service: str | None = None
    summary: str = ""
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    starts_at: Millis | None = None
    ends_at: Millis | None = None
    valid_for: Millis | None = None

    @property
    def stamp(self) -> Stamp:
        """The alert's place in the order of observations."""
        return Stamp(self.observed_at, self.received_at, self.origin.partition, self.origin.offset, self.origin.item)

    @property
    def id(self) -> str:
        """The observation's own name: where it stands on Kafka."""
        return f"{self.origin.topic}.{self.origin.partition}.{self.origin.offset}.{self.origin.item}"
