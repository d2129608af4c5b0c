"""A client session and the published specifications."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from notifier.channels.http import open_session


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """The session that a process's channels share."""
    async with open_session() as session:
        yield session


@pytest.fixture
def spec(corpus: Path) -> Callable[[str], Any]:
    """Reads a published specification of the corpus by its file name."""
    return lambda name: json.loads((corpus / "specs" / name).read_text(encoding="utf-8"))
