"""The saved inputs, one file a target: a line of base64 each, sorted, so that a change of them is small to read."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "corpus"
LONGEST: Final = 4 * 1024
MOST: Final = 60


def saved(name: str) -> list[bytes]:
    """The saved inputs of a target, none where there is no file."""
    path = FOLDER / f"{name}.b64"
    return [base64.b64decode(line) for line in path.read_text("ascii").split()] if path.exists() else []


def save(name: str, inputs: Iterable[bytes]) -> None:
    """Write the inputs of a target, each once."""
    lines = sorted({base64.b64encode(data).decode("ascii") for data in inputs})
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.b64").write_text("".join(f"{line}\n" for line in lines), "ascii")


def keep(name: str, found: Iterable[bytes]) -> int:
    """Add inputs that reach something new, the shortest first, as far as there is room; returns how many were added."""
    old = saved(name)
    fresh = sorted({data for data in found if 0 < len(data) <= LONGEST} - set(old), key=lambda data: (len(data), data))
    added = fresh[: max(0, MOST - len(old))]
    if added:
        save(name, [*old, *added])
    return len(added)
