"""Whatever once broke a target, or led somewhere new, is tried again; then a few seconds of hunting."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.fuzz.saved import FOLDER, saved
from tests.fuzz.structure import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import targets

SECONDS = 15.0
TARGETS = tuple(targets())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_saved_inputs(target: Target) -> None:
    for data in (*target.seeds, *saved(target.name)):
        target.run(data)


def test_every_file_of_saved_inputs_belongs_to_a_target() -> None:
    assert {path.stem for path in FOLDER.glob("*.b64")} <= {target.name for target in TARGETS}


def test_a_few_seconds_of_hunting(request: pytest.FixtureRequest) -> None:
    number = int(time.time())
    print(f"seed {number}")
    for turn, target in enumerate(TARGETS):
        rng, inputs = Random(number + turn), [*target.seeds, *saved(target.name)] or [b"{}"]
        end = time.monotonic() + SECONDS / len(TARGETS)
        while time.monotonic() < end:
            data = mutate(rng.choice(inputs), rng, inputs)
            try:
                target.run(data)
            except BaseException as error:
                error.add_note(f"{target.name} is broken by {data!r}")
                raise
