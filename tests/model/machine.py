"""A world as a hypothesis state machine: every rule is one choice of the schedule, or one fault."""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.model.schedule import LATE, LOST, UNANSWERED
from tests.model.world import Member, Stores, World

WHICH = st.integers(0, 7)
FAULTS = st.sampled_from(("", "", "", "", LOST, UNANSWERED, LATE))
STEPS = 40


class ProtocolMachine(RuleBasedStateMachine):
    """Rules over a world; at the end the faults cease, and the world has to keep its promises."""

    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[Stores]
    world: World

    @abstractmethod
    def make(self, seed: random.Random) -> World:
        """The world of one run."""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """On the loop of all runs."""
        self.runner.run(coroutine)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.world = self.make(random.Random(seed))
        self.run(self.world.open())

    def _member(self, which: int) -> Member:
        return self.world.members[which % len(self.world.members)]

    def _healthy(self, which: int) -> Member:
        found = self.world.healthy()
        return found[which % len(found)]

    @rule(which=WHICH, task=WHICH, steps=st.integers(1, 15))
    def go_on(self, which: int, task: int, steps: int) -> None:
        """One process runs through some gates."""
        for _ in range(steps):
            free = self.world.schedule.free(self._member(which).process)
            if free:
                self.run(self.world.step(free[task % len(free)]))

    @rule(which=WHICH, fault=FAULTS)
    def call(self, which: int, fault: str) -> None:
        """One process passes one gate; where that is a call it may be lost, unanswered or late."""
        free = self.world.schedule.free(self._member(which).process)
        if free:
            waiter = free[0]
            faulty = self.world.may_fail(waiter)
            self.run(self.world.step(waiter, fault if fault in faulty else ""))

    @rule(seconds=st.sampled_from((0.2, 1.1, 1.1, 6.0, 20.0)))
    def wait(self, seconds: float) -> None:
        self.world.schedule.now += seconds

    @rule(which=WHICH)
    def crash(self, which: int) -> None:
        self.run(self.world.crash(self._healthy(which)))

    @rule(which=WHICH, slow=st.booleans())
    def pause(self, which: int, slow: bool) -> None:
        self.run(self.world.pause(self._healthy(which), slow))

    @rule(which=WHICH)
    def take_away(self, which: int) -> None:
        self.run(self.world.take_away(self._healthy(which)))

    @rule(which=WHICH)
    def give_back(self, which: int) -> None:
        self.run(self.world.give_back(self._healthy(which)))

    @rule()
    def keep(self) -> None:
        self.run(self.world.keep())

    @precondition(lambda self: self.world.past)
    @rule()
    def fail_over(self) -> None:
        self.run(self.world.fail_over())

    @precondition(lambda self: self.world.schedule.late)
    @rule()
    def arrive_late(self) -> None:
        self.run(self.world.arrive_late())

    def teardown(self) -> None:
        self.run(self.world.play_out())


def check(machine: type[ProtocolMachine], url: str, examples: int) -> None:
    """Run a machine over a store."""
    with asyncio.Runner() as runner:

        async def opened() -> Stores:
            return Stores.open(url)

        machine.runner, machine.stores = runner, runner.run(opened())
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(machine.stores.close())
