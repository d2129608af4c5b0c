"""Named moments of the protocols at which a process may die, be overtaken, or be watched.

Workers pass through them by `await steps.at(Step.X)`. In production that is nothing; a test stops the worker
there, or holds it while a successor takes over.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """Every step of the three protocols, in order; the name says what has just happened."""

    INGEST_ASSIGNED = "ingest.assigned"
    INGEST_READ = "ingest.read"
    INGEST_LOOKED_UP = "ingest.looked_up"
    INGEST_PRODUCED = "ingest.produced"
    INGEST_MARKED = "ingest.marked"
    INGEST_CUT = "ingest.cut"
    INGEST_COUNTED = "ingest.counted"
    INGEST_DONE = "ingest.done"
    INGEST_COMMITTED = "ingest.committed"

    CORRELATOR_CLAIMED = "correlator.claimed"
    CORRELATOR_DRAINED = "correlator.drained"
    CORRELATOR_LOADED = "correlator.loaded"
    CORRELATOR_READ = "correlator.read"
    CORRELATOR_DECIDED = "correlator.decided"
    CORRELATOR_APPLIED = "correlator.applied"
    CORRELATOR_PUBLISHED = "correlator.published"
    CORRELATOR_TRIMMED = "correlator.trimmed"
    CORRELATOR_COMMITTED = "correlator.committed"

    NOTIFIER_CLAIMED = "notifier.claimed"
    NOTIFIER_DRAINED = "notifier.drained"
    NOTIFIER_LOADED = "notifier.loaded"
    NOTIFIER_READ = "notifier.read"
    NOTIFIER_DECIDED = "notifier.decided"
    NOTIFIER_APPLIED = "notifier.applied"
    NOTIFIER_PUBLISHED = "notifier.published"
    NOTIFIER_TRIMMED = "notifier.trimmed"
    NOTIFIER_ENTITLED = "notifier.entitled"
    NOTIFIER_SENT = "notifier.sent"
    NOTIFIER_OUTCOME = "notifier.outcome"
    NOTIFIER_COMMITTED = "notifier.committed"


class Steps(Protocol):
    """What is told of each step."""

    async def at(self, step: Step, shard: int = -1) -> None:
        """Called when the step has happened, of that shard or raw partition."""
        ...


class NoSteps:
    """Production: nothing happens at a step."""

    async def at(self, step: Step, shard: int = -1) -> None:
        del step, shard
