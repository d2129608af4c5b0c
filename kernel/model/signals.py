"""What the correlator reacts to: one tagged union, written to `signals` as lists of one shard."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kernel.clock import Millis
from kernel.model.alert import Alert, Origin, Stamp, Status
from kernel.model.change import Change

SCHEMA_VERSION = 1
MAX_SIGNALS = 500
MAX_RECORD_BYTES = 256 * 1024


class Passed(StrEnum):
    """Why ingest let an observation through in full, or kept it back."""

    FIRST_SIGHT = "first_sight"
    STATUS_CHANGE = "status_change"
    SEVERITY_CHANGE = "severity_change"
    REOPENED = "reopened"
    LEASE_EXPIRED = "lease_expired"
    REPEAT = "repeat"
    OLDER = "older"


class Transition(Struct, frozen=True, tag="transition"):
    """An alert seen for the first time, or whose status or severity changed."""

    alert: Alert
    reason: Passed


class Refresh(Struct, frozen=True, tag="refresh"):
    """A repeat that goes through in full because the lease of the last full one ran out."""

    alert: Alert


class Count(Struct, frozen=True, array_like=True):
    """How often a fingerprint was seen in one status within a range, and the newest observation of these."""

    fingerprint: str
    status: Status
    n: int
    newest: Stamp


class Counts(Struct, frozen=True, tag="counts"):
    """The counts of one shard in the range [start, end) of a raw partition; `topic` is the raw topic's id."""

    topic: str
    partition: int
    start: int
    end: int
    entries: tuple[Count, ...]


class Verb(StrEnum):
    """What a person may ask of an incident."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESOLVE = "resolve"
    NOTE = "note"


class Command(Struct, frozen=True, tag="command"):
    """A person's answer, taken from `answers.raw` only; `id` is the request's, `arrival` the record's time.

    It names an `incident`, or the fingerprint of an `alert` whose incident is meant. An `episode` or a `tenant` that
    is given must be the incident's; what belongs to another episode or tenant changes nothing. One that is `broad`
    was sent to every shard, because its sender could not know the alert's domain.
    """

    id: str
    verb: Verb
    incident: str
    by: str
    origin: Origin
    arrival: Millis
    note: str = ""
    alert: str = ""
    episode: str = ""
    tenant: str = ""
    broad: bool = False


class ChangeSeen(Struct, frozen=True, tag="change"):
    """Something changed in a system: what, where, who, when."""

    change: Change


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """What was expected of a source came: `name` is the heartbeat's in the configuration."""

    name: str
    source: str
    tenant: str
    origin: Origin
    arrival: Millis


Signal = Transition | Refresh | Counts | Command | ChangeSeen | Heartbeat


class SignalRecord(Struct, frozen=True):
    """One record of `signals`: signals of one shard, with the raw arrival time of the newest."""

    shard: int
    arrival: Millis
    signals: tuple[Signal, ...]
    v: int = SCHEMA_VERSION


class CommandBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a record of `answers.raw` written by the gateway: `{"command": {...}}`.

    Fields as of `Command`; exactly one of `incident` and `alert` has a value.
    """

    id: str
    verb: Verb
    incident: str = ""
    by: str = ""
    note: str = ""
    alert: str = ""
    episode: str = ""
    tenant: str = ""


class CommandEnvelope(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole record value of a command."""

    command: CommandBody
