"""The chains of correlator and notifier under crashes, zombies, lost and late calls, and a store set back or wiped."""

import random
from collections.abc import Callable, Coroutine, Mapping

import pytest

from kernel.steps import Step
from tests.model import broken_chain
from tests.model.broken_chain import Variant
from tests.model.chain_world import ChainWorld
from tests.model.machine import ProtocolMachine, check
from tests.model.schedule import LATE, UNANSWERED
from tests.model.world import Member, Stores, Violation, World

A_DAY = 60
TO_CATCH = 300


@pytest.fixture(autouse=True)
def revocations_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline of real seconds would stand still in the model's time: it is over at once."""
    monkeypatch.setattr("notifier.owner.LET_GO_WITHIN", 0.0)


def world(stores: Stores, seed: random.Random, faults: int) -> ChainWorld:
    """Channels that can be asked, that know repeats, or neither; timers, skewed clocks and fail-overs in some runs."""
    skewed = seed.random() < 0.3
    return ChainWorld(
        stores=stores,
        random=seed,
        faults=faults,
        timers=seed.random() < 0.4,
        idempotent=seed.random() < 0.3,
        reads_back=seed.random() < 0.7,
        acknowledges=seed.random() < 0.7,
        skews=(0, 0, seed.randint(0, 20_000)) if skewed else (0,),
        fail_overs=seed.random() < 0.6,
    )


async def play(stores: Stores, seed: int) -> None:
    """One run by chance."""
    rnd = random.Random(seed)
    await world(stores, rnd, rnd.randint(0, 7)).play()


class ChainMachine(ProtocolMachine):
    """Rules of hypothesis over the real owners."""

    def make(self, seed: random.Random) -> World:
        return world(self.stores, seed, 0)


def test_the_state_machine_finds_nothing(valkey_url: str, runs: int | None) -> None:
    check(ChainMachine, valkey_url, 30 if runs is None else max(30, runs // 10))


async def test_random_schedules_keep_the_promises(stores: Stores, runs: int | None) -> None:
    for seed in range(A_DAY if runs is None else runs):
        try:
            await play(stores, seed)
        except Violation as found:
            pytest.fail(f"seed {seed}: {found}")


async def _told(made: ChainWorld) -> Member:
    """The whole plan is in, the correlator has told of it; returns the notifier, which has begun nothing."""
    made.faults = 0
    await made.open()
    while made.fed < len(made.plan):
        await made.feed()
    first, second = made.members
    await made.until(first, Step.CORRELATOR_TRIMMED)
    await made.until(second, Step.NOTIFIER_READ)
    await made.keep()
    return second


async def by_chance(made: ChainWorld) -> None:
    """Nothing is arranged."""
    await made.open()


async def sender_held(made: ChainWorld) -> None:
    """A sender is held at its socket's door until its successor has looked, and sent."""
    made.idempotent, made.reads_back = False, True
    first = await _told(made)
    if await made.until(first, Step.NOTIFIER_ENTITLED):
        await made.pause(first, slow=True)
        await made.until(made.members[-1], Step.NOTIFIER_SENT, 600)
        await made.pass_by(first, Step.NOTIFIER_ENTITLED)
        await made.until(first, "socket", 20)
        await made.pass_by(first, "socket")


async def sender_slow(made: ChainWorld) -> None:
    """A sender goes on while it is still entitled, and its successor has had the time to look."""
    made.idempotent, made.reads_back = False, True
    first = await _told(made)
    if await made.until(first, Step.NOTIFIER_ENTITLED):
        await made.pause(first, slow=True)
        await made.until(made.members[-1], Step.NOTIFIER_SENT, 200, pace=0.02)
        await made.pass_by(first, Step.NOTIFIER_ENTITLED)
        await made.until(first, "socket", 20, pace=0.0)
        await made.pass_by(first, "socket")


async def turn_late(made: ChainWorld) -> None:
    """A turn arrives a second time, after its owner has sent it again and gone on."""
    made.faults = 0
    await made.open()
    first = made.members[0]
    await made.feed()
    await made.until(first, Step.CORRELATOR_READ)
    await made.until(first, "store.turn")
    await made.pass_by(first, "store.turn", LATE)
    while made.fed < len(made.plan):
        await made.feed()
        await made.until(first, Step.CORRELATOR_APPLIED, 40)
        await made.pass_by(first, Step.CORRELATOR_APPLIED)
    await made.until(first, "fetch", 40)
    await made.arrive_late()


async def answer_lost(made: ChainWorld) -> None:
    """A turn is applied, but not answered."""
    made.faults = 0
    await made.open()
    first = made.members[0]
    if await made.until(first, "store.turn"):
        await made.pass_by(first, "store.turn", UNANSWERED)
    while made.fed < len(made.plan):
        await made.feed()


async def sent_and_forgotten(made: ChainWorld) -> None:
    """The sender's process dies with what it wrote to the socket, and the store forgets that it was decided."""
    made.idempotent, made.reads_back = False, True
    first = await _told(made)
    if await made.until(first, Step.NOTIFIER_ENTITLED):
        await made.pass_by(first, Step.NOTIFIER_ENTITLED)
        await made.pass_by(first, "socket")
        await made.fail_over(lambda key: b":n:" in key)
        await made.crash(first)


async def decided_twice(made: ChainWorld) -> None:
    """A decision is held before its row; the store forgets it, and a successor decides and sends the same."""
    made.idempotent, made.reads_back = False, True
    first = await _told(made)
    if await made.until(first, Step.NOTIFIER_APPLIED):
        await made.pass_by(first, Step.NOTIFIER_APPLIED)
        await made.fail_over(lambda key: b":n:" in key)
        await made.pause(first, slow=True)
        await made.until(made.members[-1], Step.NOTIFIER_SENT)
        await made.until(first, "socket", 20)
        await made.pass_by(first, "socket")


async def drained_by_an_old_owner(made: ChainWorld) -> None:
    """An owner that was overtaken while it drained publishes the row of its successor before that does."""
    made.idempotent, made.reads_back = False, True
    await made.open()
    made.faults = 0
    first = made.members[1]
    await made.until(first, Step.NOTIFIER_CLAIMED)
    await made.pause(first, slow=True)
    second = made.members[-1]
    while made.fed < len(made.plan):
        await made.feed()
    await made.until(made.members[0], Step.CORRELATOR_TRIMMED)
    if await made.until(second, "produce.deliveries"):
        await made.until(first, Step.NOTIFIER_DRAINED, 40, pace=0.0)


async def torn(made: ChainWorld) -> None:
    """The store is wiped while an owner loads its shard, one hash after the other."""
    made.faults = 0
    await made.open()
    first = made.members[0]
    for _ in range(len(made.plan) // 2):
        await made.feed()
    await made.until(first, Step.CORRELATOR_TRIMMED)
    await made.crash(first)
    second = made.members[-1]
    if await made.until(second, Step.CORRELATOR_DRAINED):
        await made.pass_by(second, Step.CORRELATOR_DRAINED)
        for _ in range(made.random.randint(1, 4)):
            await made.pass_by(second, "store.hgetall")
        await made.flush()


async def told_again(made: ChainWorld) -> None:
    """The notifier's store forgets what it had heard; `deliveries` still says what came of it."""
    second = await _told(made)
    for _ in range(4):
        if await made.until(second, Step.NOTIFIER_OUTCOME, 120):
            await made.pass_by(second, Step.NOTIFIER_OUTCOME)
    await made.fail_over(lambda key: b":n:" in key)


async def claim_forgotten(made: ChainWorld) -> None:
    """An owner whose clock is ahead speaks; the store forgets its claim, and its successor's epoch is lower."""
    made.faults, made.skews = 0, (20_000,)
    await made.open()
    for _ in range(len(made.plan) // 2):
        await made.feed()
    first = made.members[0]
    made.skews = (0, 0)
    if await made.until(first, Step.CORRELATOR_TRIMMED):
        await made.until(made.members[1], Step.NOTIFIER_APPLIED)
        await made.flush()
        await made.crash(first)


async def trimmed_late(made: ChainWorld) -> None:
    """A trim is held until a successor has drained the outbox, decided something and died before it told."""
    made.faults = 0
    await made.open()
    await made.feed()
    first = made.members[0]
    for _ in range(len(made.plan) // 2):
        await made.feed()
    if await made.until(first, Step.CORRELATOR_PUBLISHED):
        await made.pass_by(first, Step.CORRELATOR_PUBLISHED)
        await made.pause(first, slow=True)
        second = made.members[-1]
        await made.until(second, Step.CORRELATOR_LOADED)
        while made.fed < len(made.plan):
            await made.feed()
        await made.until(second, Step.CORRELATOR_APPLIED)
        await made.pass_by(first, "store.trim")
        await made.crash(second)


Opening = Callable[[ChainWorld], Coroutine[None, None, None]]
OPENINGS: Mapping[Variant, Opening] = {
    broken_chain.no_age: sender_held,
    broken_chain.no_wait: sender_slow,
    broken_chain.no_turn: turn_late,
    broken_chain.decide_again: answer_lost,
    broken_chain.send_first: sent_and_forgotten,
    broken_chain.any_row: decided_twice,
    broken_chain.blind_trim: trimmed_late,
    broken_chain.no_echo: claim_forgotten,
    broken_chain.no_seen: told_again,
    broken_chain.first_offset_only: drained_by_an_old_owner,
    broken_chain.torn_load: torn,
}


async def play_after(opening: Opening, stores: Stores, seed: int) -> None:
    """One run that begins as arranged."""
    rnd = random.Random(seed)
    made = world(stores, rnd, rnd.randint(0, 7) if opening is by_chance else 0)
    await opening(made)
    await made.play_out()


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=lambda opening: opening.__name__)
async def test_what_is_rare_by_chance(valkey: Stores, opening: Opening) -> None:
    for seed in range(8):
        await play_after(opening, valkey, seed)


@pytest.mark.parametrize("variant", broken_chain.VARIANTS, ids=lambda variant: variant.__name__)
async def test_a_weaker_protocol_is_caught(valkey: Stores, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    variant(monkeypatch)
    opening = OPENINGS.get(variant, by_chance)

    async def try_all() -> None:
        for seed in range(TO_CATCH):
            await play_after(opening, valkey, seed)

    with pytest.raises(Violation):
        await try_all()
