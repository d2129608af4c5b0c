"""A source by configuration: where in its messages the facts of an alert, a report or a change stand."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

from msgspec import field

from kernel.config.expressions import Expression
from kernel.config.section import Strict
from kernel.model.alert import Severity, Status
from kernel.model.change import ChangeOutcome


class MappedKind(StrEnum):
    """What a mapping makes of a message."""

    PROBLEM = "problem"
    REPORT = "report"
    CHANGE = "change"
    HEARTBEAT = "heartbeat"
    IGNORED = "ignored"


NAMELESS: Final = frozenset((MappedKind.HEARTBEAT, MappedKind.IGNORED))
"""Kinds of which no alert or change is made, so that nothing is known again by an identity."""


class StatusMap(Strict, frozen=True, rename={"source": "from"}):
    """The word in `from` (any case) says whether the alert fires; one that stands in no list is refused, not guessed.

    `always` is for senders that only ever tell of one state.
    """

    source: Expression | None = None
    always: Status | None = None
    firing: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class SeverityMap(Strict, frozen=True, rename={"source": "from"}):
    """The word in `from` by `map` (any case), else by the usual words; `always` where the sender has none."""

    source: Expression | None = None
    always: Severity | None = None
    map: dict[str, Severity] = field(default_factory=dict)


class OutcomeMap(Strict, frozen=True, rename={"source": "from"}):
    """How far a change has come, by the word in `from` (any case); one that stands in no list is refused."""

    source: Expression | None = None
    always: ChangeOutcome | None = None
    started: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class MappingConfig(Strict, frozen=True):
    """One form of a source's messages; the first whose `match` has a value that is not empty, null or false reads it.

    `each` is a list in the message: every item is an alert (or change) by itself, whose fields the expressions read,
    and `root` is the whole message. `headers` are request headers that the door passes on; expressions find them
    under `headers`, in lower case. `identity` names what tells the same alert again; a label `*` is an object whose
    entries all become labels. `reason` is shown with what is ignored.
    """

    alone: ClassVar[bool] = True
    """Whether a single one may be written without its list."""

    match: Expression
    kind: MappedKind = MappedKind.PROBLEM
    reason: str = ""
    headers: tuple[str, ...] = ()
    each: Expression | None = None
    identity: dict[str, Expression] = field(default_factory=dict)
    name: Expression | None = None
    status: StatusMap | None = None
    severity: SeverityMap = field(default_factory=SeverityMap)
    outcome: OutcomeMap | None = None
    what: str = "change"
    service: Expression | None = None
    summary: Expression | None = None
    description: Expression | None = None
    observed_at: Expression | None = None
    starts_at: Expression | None = None
    ends_at: Expression | None = None
    where: Expression | None = None
    who: Expression | None = None
    revision: Expression | None = None
    links: dict[str, Expression] = field(default_factory=dict)
    labels: dict[str, Expression] = field(default_factory=dict)
