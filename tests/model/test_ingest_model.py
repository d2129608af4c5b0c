"""The ingest protocol under crashes, successors, zombies, lost answers, late calls and a store set back."""

import random
from collections.abc import Callable, Coroutine, Mapping

import pytest

from kernel.steps import Step
from tests.model.broken_ingest import VARIANTS, Variant, blind_done, forget_by_part, keep_memory
from tests.model.ingest_world import IngestWorld
from tests.model.machine import ProtocolMachine, check
from tests.model.schedule import LOST
from tests.model.world import Stores, Violation, World

A_DAY = 60
TO_CATCH = 400


def world(stores: Stores, seed: random.Random) -> IngestWorld:
    """With up to seven faults, in a third of the runs fail-overs of the store among them."""
    return IngestWorld(stores=stores, random=seed, faults=seed.randint(0, 7), fail_overs=seed.random() < 0.3)


class IngestMachine(ProtocolMachine):
    """Rules of hypothesis over the real workers."""

    def make(self, seed: random.Random) -> World:
        return IngestWorld(stores=self.stores, random=seed)


def test_the_state_machine_finds_nothing(valkey_url: str, runs: int | None) -> None:
    check(IngestMachine, valkey_url, 40 if runs is None else max(40, runs // 10))


async def test_random_schedules_keep_the_promises(stores: Stores, runs: int | None) -> None:
    for seed in range(A_DAY if runs is None else runs):
        try:
            await world(stores, random.Random(seed)).play()
        except Violation as found:
            pytest.fail(f"seed {seed}: {found}")


async def plain(made: World) -> None:
    """Nothing but chance."""
    await made.open()


async def superseded(made: World) -> None:
    """A worker stops before it moves `done`; its successors do that and state the next intent, then die as well."""
    made.faults = 0
    await made.open()
    first = made.members[0]
    if await made.until(first, Step.INGEST_COUNTED):
        await made.pause(first, slow=True)
        second = made.members[-1]
        for _ in range(2):
            await made.until(second, Step.INGEST_DONE)
            await made.pass_by(second, Step.INGEST_DONE)
        await made.until(second, Step.INGEST_CUT)
        await made.until(first, Step.INGEST_DONE)
        await made.crash(second)


async def refused_by_the_broker(made: World) -> None:
    """The first signals are never acknowledged."""
    made.faults = 0
    await made.open()
    if await made.until(made.members[0], "produce.signals"):
        await made.pass_by(made.members[0], "produce.signals", LOST)


async def taken_away_under_a_turn(made: World) -> None:
    """The group takes the partitions and gives them back while signals are on their way, which the broker refuses."""
    made.faults = 0
    await made.open()
    first = made.members[0]
    if await made.until(first, "produce.signals"):
        await made.take_away(first)
        await made.pass_by(first, "produce.signals", LOST)
        await made.give_back(first)


Opening = Callable[[World], Coroutine[None, None, None]]
OPENINGS: Mapping[Variant, Opening] = {
    blind_done: superseded,
    keep_memory: refused_by_the_broker,
    forget_by_part: taken_away_under_a_turn,
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=lambda opening: opening.__name__)
async def test_what_is_rare_by_chance(valkey: Stores, opening: Opening) -> None:
    for seed in range(25):
        made = world(valkey, random.Random(seed))
        await opening(made)
        await made.play_out()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
async def test_a_weaker_protocol_is_caught(valkey: Stores, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    variant(monkeypatch)
    opening = OPENINGS.get(variant, plain)

    async def try_all() -> None:
        for seed in range(TO_CATCH):
            made = world(valkey, random.Random(seed))
            await opening(made)
            await made.play_out()

    with pytest.raises(Violation):
        await try_all()
