"""Weaker forms of the chains of correlator and notifier, each of which their machine must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

import notifier.ledger
import notifier.sender
from correlator.commands import Commands
from correlator.observe import Observer
from correlator.owner import ShardOwner
from correlator.worker import CorrelatorWorker
from kernel.chain import Chain, ClaimOver, Entry
from kernel.model.codec import decode_delivery
from kernel.model.delivery import DeliveryRow
from kernel.model.signals import Command, Counts
from kernel.model.state import LedgerEntry, NotifierDoc
from kernel.shards import ShardWorker
from kernel.store import scripts
from kernel.store.client import StoreUnavailable
from kernel.store.lua import source
from notifier.ledger import find
from notifier.owner import ShardNotifier
from notifier.sender import Sender

Variant = Callable[[pytest.MonkeyPatch], None]


def _rewrite(patch: pytest.MonkeyPatch, script: str, change: Callable[[str], str]) -> None:
    whole = source

    def changed_source(name: str) -> str:
        text = whole(name)
        changed = change(text) if name == script else text
        assert name != script or changed != text, "the script is no longer written like that"
        return changed

    patch.setattr("kernel.store.client.source", changed_source)


def no_turn(patch: pytest.MonkeyPatch) -> None:
    """Whoever has the epoch may write, whichever turn it is."""
    _rewrite(patch, "turn", lambda text: text.replace("if verdict ~= 'ok' then", "if verdict == 'never' then"))


def no_epoch(patch: pytest.MonkeyPatch) -> None:
    """Turns are counted, owners are not told apart."""
    _rewrite(
        patch,
        "turn",
        lambda text: text.replace("if held[1] ~= epoch or held[2] ~= owner then return 'refused' end", ""),
    )


def blind_trim(patch: pytest.MonkeyPatch) -> None:
    """Trims as many entries as it has published from the head of the outbox, whoever holds the shard."""
    _rewrite(
        patch,
        "trim",
        lambda _: (
            "for _ = 3, #ARGV do local e = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)"
            " if e[1] then redis.call('XDEL', KEYS[2], e[1][1]) end end return 'ok'"
        ),
    )


def no_command_fence(patch: pytest.MonkeyPatch) -> None:
    """A command is taken as often as it comes."""
    take = Commands.take

    def again(self: Commands, command: Command) -> None:
        for name in [name for name in self._shard.fences if name.startswith("commands:")]:
            del self._shard.fences[name]
        take(self, command)

    patch.setattr(Commands, "take", again)


def no_count_fence(patch: pytest.MonkeyPatch) -> None:
    """A range is counted as often as it comes."""
    take = Observer.counts

    def again(self: Observer, counts: Counts) -> None:
        for name in [name for name in self._shard.fences if name.startswith("fence:")]:
            del self._shard.fences[name]
        take(self, counts)

    patch.setattr(Observer, "counts", again)


def no_echo(patch: pytest.MonkeyPatch) -> None:
    """The correlator does not listen to what others say in its name."""

    async def deaf(self: ShardOwner, end: int) -> int:
        self.shard.echo = max(self.shard.echo, end)
        return 0

    patch.setattr(ShardOwner, "listen", deaf)


def seek_commit(patch: pytest.MonkeyPatch) -> None:
    """The correlator reads on where its group has committed."""
    position = ShardWorker.position

    async def committed(self: ShardWorker[Any], place: TopicPartition) -> int | None:
        offset = await position(self, place)
        found: int | None = await self.consumer.committed(place)
        return offset if offset is None or found is None else found

    patch.setattr(CorrelatorWorker, "position", committed)


def decide_again(patch: pytest.MonkeyPatch) -> None:
    """After an unknown outcome the next turn is written instead of the same one."""
    turn = scripts.turn

    async def next_one(store: Any, keys: Sequence[str], epoch: int, owner: str, number: int, change: Any) -> Any:
        try:
            return await turn(store, keys, epoch, owner, number, change)
        except StoreUnavailable:
            return await turn(store, keys, epoch, owner, number + 1, change)

    patch.setattr(scripts, "turn", next_one)


async def _start_all(self: ShardNotifier, entries: Sequence[Entry]) -> None:
    for _, payload in entries:
        row = decode_delivery(payload)
        doc = self._docs[row.key.incident]
        entry = find(doc, row.key)
        if entry is not None:
            self._started.add((row.key, row.attempt))
            self._sender.start(doc, entry, row, self._context.clock.monotonic())


def send_first(patch: pytest.MonkeyPatch) -> None:
    """The sender starts before its row is acknowledged."""

    async def publish(self: ShardNotifier, entries: Sequence[Entry]) -> None:
        if self._loaded:
            await _start_all(self, entries)
        await self._log.append([decode_delivery(payload) for _, payload in entries])

    patch.setattr(ShardNotifier, "_publish", publish)


def any_row(patch: pytest.MonkeyPatch) -> None:
    """Every acknowledged row entitles, not only the first of its key and attempt."""

    async def publish(self: ShardNotifier, entries: Sequence[Entry]) -> None:
        await self._log.append([decode_delivery(payload) for _, payload in entries])
        if self._loaded:
            await _start_all(self, entries)

    patch.setattr(ShardNotifier, "_publish", publish)


def no_age(patch: pytest.MonkeyPatch) -> None:
    """A row entitles for ever."""
    start = Sender.start

    def ageless(self: Sender, doc: NotifierDoc, entry: LedgerEntry, row: DeliveryRow, produced_at: float) -> None:
        start(self, doc, entry, row, float("inf"))

    patch.setattr(Sender, "start", ageless)


def no_wait(patch: pytest.MonkeyPatch) -> None:
    """Another owner's row is looked after at once, while its request may be under way."""
    patch.setattr(notifier.sender, "REQUEST_TAKES", -notifier.sender.ENTITLED_FOR)


def no_seen(patch: pytest.MonkeyPatch) -> None:
    """A fact told again takes back what was decided from later input."""
    patch.setattr(notifier.ledger, "_later", lambda entry, event: False)


def first_offset_only(patch: pytest.MonkeyPatch) -> None:
    """A row entitles only where this owner published it first, though another one may have done so on its behalf."""

    async def publish(self: ShardNotifier, entries: Sequence[Entry]) -> None:
        rows = [decode_delivery(payload) for _, payload in entries]
        before = self._context.clock.monotonic()
        for row, offset in zip(rows, await self._log.append(rows), strict=True):
            doc = self._docs.get(row.key.incident)
            entry = find(doc, row.key) if doc is not None else None
            if doc is not None and entry is not None and self._loaded and entry.first_offset == offset:
                self._started.add((row.key, row.attempt))
                self._sender.start(doc, entry, row, before)

    patch.setattr(ShardNotifier, "_publish", publish)


def torn_load(patch: pytest.MonkeyPatch) -> None:
    """What was read of a shard is believed, whatever became of the store meanwhile."""

    async def trust(self: Chain) -> None:
        del self

    patch.setattr(Chain, "confirm", trust)


def keep_claim(patch: pytest.MonkeyPatch) -> None:
    """A refused turn does not end the claim."""
    turn = Chain.turn

    async def stubborn(self: Chain, change: Any) -> None:
        try:
            await turn(self, change)
        except ClaimOver:
            self.turns += 1
            self.last_turn = self._context.clock.monotonic()

    patch.setattr(Chain, "turn", stubborn)


VARIANTS: Iterable[Variant] = (
    no_turn,
    no_epoch,
    blind_trim,
    no_command_fence,
    no_count_fence,
    no_echo,
    seek_commit,
    decide_again,
    send_first,
    any_row,
    no_age,
    no_wait,
    no_seen,
    first_offset_only,
    torn_load,
    keep_claim,
)
