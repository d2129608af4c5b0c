"""A client session and the published specifications."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
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
def spec() -> Any:
    """Reads a published specification of the corpus by its file name; skips where there is no corpus."""

    def read(name: str) -> Any:
        corpus = os.environ.get("STORMFOLD_CORPUS")
        if not corpus:
            pytest.skip("STORMFOLD_CORPUS is unset: the published specifications are not at hand")
        return json.loads((Path(corpus) / "specs" / name).read_text(encoding="utf-8"))

    return read
