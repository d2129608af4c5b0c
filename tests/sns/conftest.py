"""A client for the tests with SNS."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Calls the SNS API."""
    async with aiohttp.ClientSession() as session:
        yield session
