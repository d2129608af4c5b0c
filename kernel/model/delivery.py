"""Rows of `deliveries`: what is about to be sent to whom, and what became of it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from kernel.clock import Millis
from kernel.model.incident import Priority, Seen
from kernel.model.naming import digest

SCHEMA_VERSION = 1


class Action(StrEnum):
    """What a delivery does at its target."""

    PAGE = "page"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Outcome(StrEnum):
    """What a row says: `about` before the socket, the rest after it.

    `retry` nothing happened, an attempt follows; `not_sent` the row was too old, an attempt follows at once;
    `failed` terminal; `unknown` it may have happened and the channel cannot say.
    """

    ABOUT = "about"
    SENT = "sent"
    RETRY = "retry"
    NOT_SENT = "not_sent"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """No further attempt follows by itself."""
        return self in (Outcome.SENT, Outcome.FAILED, Outcome.UNKNOWN)


class LedgerKey(Struct, frozen=True, order=True, array_like=True):
    """What is delivered at most once: incident, episode, action, priority reached, escalation step, target."""

    incident: str
    episode: str
    action: Action
    priority: Priority
    step: int
    target: str

    @property
    def delivery_id(self) -> str:
        """The id that receivers see and may deduplicate by; the same on every attempt."""
        flat = (self.incident, self.episode, self.action, self.priority, str(self.step), self.target)
        return f"{self.incident}-{digest(flat, 8).hex()}"


class DeliveryRow(Struct, frozen=True, omit_defaults=True):
    """One row; `at` is the writer's wall time, `retry_after_ms` the receiver's wish where it had one.

    `seen` is that of the fact from which the delivery was decided (`IncidentEvent`).
    """

    key: LedgerKey
    attempt: int
    outcome: Outcome
    epoch: int
    owner: str
    at: Millis
    reason: str = ""
    retry_after_ms: int = 0
    remote_id: str = ""
    seen: Seen = Seen()
    v: int = SCHEMA_VERSION
