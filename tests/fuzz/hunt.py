"""Atheris on one target: `python -m tests.fuzz.hunt TARGET [libFuzzer's options]`, in the environment of `make fuzz`.

The branches of `ingest` and of the model guide the mutations; an exception that is not declared ends the process.
"""

from __future__ import annotations

import sys
from random import Random
from typing import Final

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

with atheris.instrument_imports(include=["ingest", "kernel.model", "kernel.config.matchers"]):
    from tests.fuzz.targets import targets

from tests.fuzz.structure import MAX_BYTES, mutate

BY_BYTES: Final = 0.2
"""How often libFuzzer's own mutations take the place of those that know the structure."""


def main() -> None:
    """Hunt until the time that libFuzzer was given is over."""
    target = next(target for target in targets() if target.name == sys.argv[1])
    others = target.seeds

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if not data and others:
            data = rng.choice(others)
        if rng.random() < BY_BYTES:
            made: bytes = atheris.Mutate(data, min(max_size, MAX_BYTES))
            return made
        return mutate(data, rng, others)[:max_size]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
