"""A change of a system, told by whoever made it: what an investigation asks for first."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from kernel.clock import Millis
from kernel.model.alert import Origin, Stamp


class ChangeOutcome(StrEnum):
    """How far a change has come, or what became of it."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Change(Struct, frozen=True, omit_defaults=True):
    """One observation of one change; observations of a change from its start to its end share the fingerprint.

    `what` is the kind of change in a few words (`deployment`, `rollout`, `sync`, `workflow run`, `configuration`,
    `feature flag`); `where` the environment, cluster or region in the sender's words; `who` made it; `when`
    (milliseconds) is the sender's time of this observation, else its arrival; `link` is a web address.
    """

    source: str
    fingerprint: str
    what: str
    name: str
    outcome: ChangeOutcome
    when: Millis
    received_at: Millis
    origin: Origin
    tenant: str = "default"
    service: str | None = None
    where: str | None = None
    who: str | None = None
    revision: str | None = None
    link: str | None = None
    summary: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def stamp(self) -> Stamp:
        """The observation's place in the order of observations; the newest wins."""
        return Stamp(self.when, self.received_at, self.origin.partition, self.origin.offset, self.origin.item)
