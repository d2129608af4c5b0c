"""The shape every channel has: a delivery in, what became of it out.

A channel raises nothing for trouble on the network or at the vendor: it says in a `Result` what happened, and
what may have happened. Whether and when to try again is the caller's decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from kernel.clock import Millis
from kernel.model.delivery import Action, LedgerKey, Outcome
from kernel.model.incident import Headline

Writer = Callable[[str], None]
"""Takes one line without its line feed; must return at once (a queue or a buffered stream)."""


@dataclass(frozen=True)
class Text:
    """What people read: plain text, clean of control characters, bounded. `reasons` are lines of their own."""

    title: str
    body: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """One attempt. `headline` is the incident as it is now; `key` says what is delivered, the same on every attempt.

    `thread` is the remote id of what opened this episode at the same target, empty where there is none.
    """

    key: LedgerKey
    attempt: int
    headline: Headline
    text: Text
    sent_at_ms: Millis
    thread: str = ""

    @property
    def action(self) -> Action:
        """What the delivery does at its target."""
        return self.key.action


class Cause(StrEnum):
    """Why a delivery ended as it did; a bounded label of metrics."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    AUTH_ERROR = "auth_error"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED_TARGET = "refused_target"
    INVALID = "invalid"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Result:
    """What became of one attempt.

    `outcome` is one of sent, retry, failed and unknown. `detail` holds neither secrets nor URLs. `disable` says that
    nothing more should go to this target until its configuration changes: it refused us for good.
    """

    outcome: Outcome
    reason: Cause
    detail: str = ""
    retry_after_ms: int = 0
    remote_id: str = ""
    disable: bool = False


class Verdict(StrEnum):
    """What an answer, or the lack of one, says about the effect at the target."""

    DONE = "done"
    NOTHING = "nothing"
    AMBIGUOUS = "ambiguous"
    TERMINAL = "terminal"
    DISABLE = "disable"


def outcome_of(verdict: Verdict, idempotent: bool) -> Outcome:
    """What the ledger should say. What may have happened is tried again only where a repeat does no harm."""
    if verdict is Verdict.DONE:
        return Outcome.SENT
    if verdict is Verdict.NOTHING:
        return Outcome.RETRY
    if verdict is Verdict.AMBIGUOUS:
        return Outcome.RETRY if idempotent else Outcome.UNKNOWN
    return Outcome.FAILED


class Channel(Protocol):
    """One target. Safe to use for several deliveries at once; order per incident is the caller's.

    `idempotent`: the target knows a repeat of the same delivery id. `keyed_by_priority`: an incident has one remote
    object for each priority it reached, so a resolve must go to every one that was triggered.
    """

    @property
    def name(self) -> str: ...

    @property
    def idempotent(self) -> bool: ...

    @property
    def keyed_by_priority(self) -> bool: ...

    def supports(self, action: Action) -> bool:
        """Whether this target can express the action at all."""
        ...

    async def send(self, delivery: Delivery) -> Result:
        """Deliver once. Never raises for trouble of the network or the vendor."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """A channel that can find out whether an earlier attempt arrived."""

    async def read_back(self, delivery: Delivery) -> Result | None:
        """The result of the earlier attempt, None where the target does not have it."""
        ...
