"""What a target is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Target(NamedTuple):
    """A reader: `run` raises whatever must not happen, `seeds` are inputs to begin with."""

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
