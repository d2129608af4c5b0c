"""Lua scripts, each a file of `lua/` with a header, each behind one typed function.

The client that runs them never retries by itself: an unknown outcome is the caller's to repeat, and only the
caller knows whether the same turn or a new claim is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from kernel.store.client import Store

_pack: Final = msgspec.msgpack.Encoder().encode


class Verdict(StrEnum):
    """What a turn's script answers."""

    OK = "ok"
    ALREADY = "already"
    REFUSED = "refused"


@dataclass(slots=True)
class Change:
    """What one turn writes, all of it or nothing.

    `chain` are fields of the chain hash; `hashes` and `zsets` go by the number of their key (3 is the first after
    chain and outbox); `out` are pairs (topic's name in the outbox, payload).
    """

    chain: dict[str, str] = field(default_factory=dict)
    hashes: list[tuple[int, list[str], list[str]]] = field(default_factory=list)
    zsets: list[tuple[int, list[str], list[str]]] = field(default_factory=list)
    out: list[str] = field(default_factory=list)

    def put(self, key: int, fields: list[str], gone: list[str]) -> None:
        """Set fields (flat: field, value, ...) and delete others of the hash at `key`."""
        if fields or gone:
            self.hashes.append((key, fields, gone))

    def schedule(self, key: int, scores: list[str], gone: list[str]) -> None:
        """Set scores (flat: score, member, ...) and remove members of the sorted set at `key`."""
        if scores or gone:
            self.zsets.append((key, scores, gone))

    def packed(self) -> bytes:
        """The change as one msgpack argument: one argument costs a tenth of many."""
        chain = [text for pair in self.chain.items() for text in pair]
        return _pack((chain, self.hashes, self.zsets, self.out))


async def turn(
    store: Store, keys: Sequence[str], epoch: int, owner: str, number: int, change: Change
) -> tuple[Verdict, list[str]]:
    """One turn; `keys` are chain, outbox and the shard's others. Returns the verdict and the ids of new entries."""
    answer = await store.script("turn", keys, (str(epoch), owner, str(number), change.packed()))
    words = [_text(part) for part in answer]
    return Verdict(words[0]), words[1:]


class Lost(Exception):
    """The shard's key is gone although its group had committed: what it knew is lost."""


class TopicChanged(Exception):
    """The topics that the stored positions belong to are not the ones that are there now."""

    def __init__(self, stored: str, found: str) -> None:
        super().__init__(f"positions belong to topic ids {stored}, but the topics have {found}")
        self.stored = stored
        self.found = found


async def claim(
    store: Store, chain: str, lowest: int, owner: str, topic: str, fresh: dict[str, str] | None
) -> dict[str, str]:
    """Take a shard. `fresh` are the fields a shard without a key starts with, None where it must have one.

    Returns the chain hash. Raises Lost or TopicChanged; nothing is written then.
    """
    start = [text for pair in (fresh or {}).items() for text in pair]
    flag = "1" if fresh is not None else "0"
    answer = await store.script("claim", (chain,), (str(lowest), owner, flag, topic, *start))
    words = [_text(part) for part in answer]
    if words[0] == "lost":
        raise Lost
    if words[0] == "topic":
        raise TopicChanged(words[1], topic)
    return dict(zip(words[1::2], words[2::2], strict=True))


async def reset(store: Store, keys: Sequence[str], lowest: int, owner: str, topic: str, start: dict[str, str]) -> int:
    """Delete what a role knows of a shard and let it begin at `start`; returns the new epoch, above the stored one.

    `keys` are the chain and the role's other keys of the shard. Whoever holds the shard is refused from here on.
    """
    fields = [text for pair in start.items() for text in pair]
    return int(_text(await store.script("reset", keys, (str(lowest), owner, topic, *fields))))


async def trim(store: Store, chain: str, outbox: str, epoch: int, owner: str, ids: Sequence[str]) -> bool:
    """Take published entries out of the outbox; False where the shard is no longer held by this owner."""
    return _text(await store.script("trim", (chain, outbox), (str(epoch), owner, *ids))) == "ok"


async def cut(store: Store, key: str, start: int, end: int) -> tuple[int, int] | None:
    """State the intent to count [start, end). Returns (done, intent) as stored, None where `done` is missing."""
    answer = await store.script("cut", (key,), (str(start), str(end)))
    return (int(answer[0]), int(answer[1])) if answer else None


async def done(store: Store, key: str, start: int, end: int) -> int | None:
    """Move `done` from start to end. Returns the stored `done`, None where it is missing."""
    answer = _text(await store.script("done", (key,), (str(start), str(end))))
    return int(answer) if answer else None


def _text(part: object) -> str:
    return part.decode("utf-8") if isinstance(part, bytes) else str(part)
