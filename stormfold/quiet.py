"""Keeping a library quiet while a command tries whether servers are there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_clients() -> Iterator[None]:
    """aiokafka logs an error for every try at a closed port; a command says it once, in a sentence."""
    library = logging.getLogger("aiokafka")
    before = library.level
    library.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        library.setLevel(before)
