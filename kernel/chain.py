"""A shard's owner and its chain of turns: claim, drain, write, publish, trim. The same for correlator and notifier.

A claim ends every older owner. Each turn is one script that applies only as the successor of the last one; what it
appends to the outbox is published before the next turn and trimmed after the acknowledgement. A refusal anywhere
ends the claim: the owner drops its memory and claims again, if the partition is still its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
import uuid_utils

from kernel.context import Context
from kernel.steps import Step
from kernel.store import scripts
from kernel.store.client import StoreUnavailable
from kernel.store.scripts import Change, Verdict

log = structlog.get_logger(__name__)

Entry = tuple[str, bytes]
"""An outbox entry: the short name of its topic, and the payload."""
Publish = Callable[[Sequence[Entry]], Awaitable[None]]

RETRY_AFTER = 0.1
DRAIN_AT_ONCE = 200


@dataclass(frozen=True)
class ChainSteps:
    """Which named steps a chain passes through."""

    claimed: Step
    drained: Step
    applied: Step
    published: Step
    trimmed: Step


class ClaimOver(Exception):
    """Another owner holds the shard, or the store is not as this owner left it."""


class Chain:
    """One owner's chain over one shard. `keys` are chain hash, outbox stream and the shard's other keys."""

    def __init__(
        self, context: Context, shard: int, keys: Sequence[str], steps: ChainSteps, publish: Publish, role: str
    ) -> None:
        self._context = context
        self._shard = shard
        self._keys = tuple(keys)
        self._steps = steps
        self._publish = publish
        self._role = role
        self.epoch = 0
        self.owner = ""
        self.turns = 0
        self.last_turn = 0.0

    async def claim(self, lowest: int, topic: str, fresh: dict[str, str] | None) -> dict[str, str]:
        """Become the owner; returns the chain's fields. Raises scripts.Lost, scripts.TopicChanged, StoreUnavailable.

        An attempt whose outcome is unknown is not repeated: the caller makes a new one, under a new owner.
        """
        self.owner = str(uuid_utils.uuid7())
        self.turns = 0
        lowest = max(lowest, self._context.clock.now_ms())
        fields = await scripts.claim(self._context.store, self._keys[0], lowest, self.owner, topic, fresh)
        self.epoch = int(fields["epoch"])
        self.last_turn = self._context.clock.monotonic()
        self._context.metrics.claims_total.labels(self._role, "taken").inc()
        await self._at(self._steps.claimed)
        return fields

    async def drain(self) -> None:
        """Publish and trim what earlier owners left in the outbox. Raises ClaimOver."""
        while entries := await self._left():
            await self._deliver(entries)
        await self._at(self._steps.drained)

    async def confirm(self) -> None:
        """After a load, which takes several reads: raises ClaimOver where the store is not the one that was claimed.

        A store set back or wiped between two of them would leave a memory whose parts do not belong together.
        """
        if await self._context.store.hget(self._keys[0], "owner") != self.owner.encode():
            raise ClaimOver

    async def turn(self, change: Change) -> None:
        """Write one turn, then publish and trim its outbox entries. Raises ClaimOver.

        Where no answer comes the same turn is sent again, never another one: it applied once or not at all.
        """
        number = self.turns + 1
        while True:
            try:
                verdict, ids = await scripts.turn(
                    self._context.store, self._keys, self.epoch, self.owner, number, change
                )
                break
            except StoreUnavailable as error:
                log.warning("a turn has no answer; it is sent again", shard=self._shard, error=str(error))
                await self._context.clock.sleep(RETRY_AFTER)
        self._context.metrics.turns_total.labels(self._role, verdict.value).inc()
        if verdict is Verdict.REFUSED:
            raise ClaimOver
        self.turns = number
        self.last_turn = self._context.clock.monotonic()
        await self._at(self._steps.applied)
        if not change.out:
            return
        if verdict is Verdict.ALREADY:
            # Nothing is left where the store was set back since it answered; the next turn is refused then.
            if entries := await self._left_for_sure():
                await self._deliver(entries)
            return
        pairs = zip(change.out[::2], change.out[1::2], strict=True)
        await self._deliver(
            [(entry, (topic, payload.encode())) for entry, (topic, payload) in zip(ids, pairs, strict=True)]
        )

    async def _left(self) -> list[tuple[str, Entry]]:
        found = await self._context.store.stream(self._keys[1], DRAIN_AT_ONCE)
        return [(entry, (fields[b"t"].decode(), fields[b"p"])) for entry, fields in found]

    async def _left_for_sure(self) -> list[tuple[str, Entry]]:
        while True:
            try:
                return await self._left()
            except StoreUnavailable:
                await self._context.clock.sleep(RETRY_AFTER)

    async def _deliver(self, entries: Sequence[tuple[str, Entry]]) -> None:
        await self._publish([entry for _, entry in entries])
        await self._at(self._steps.published)
        while True:
            try:
                kept = await scripts.trim(
                    self._context.store, self._keys[0], self._keys[1], self.epoch, self.owner, [i for i, _ in entries]
                )
                break
            except StoreUnavailable:
                await self._context.clock.sleep(RETRY_AFTER)
        if not kept:
            raise ClaimOver
        await self._at(self._steps.trimmed)

    async def _at(self, step: Step) -> None:
        await self._context.steps.at(step, self._shard)
