"""Fixtures of the model-based tests: quiet logs, clients of the store, how many runs."""

import logging
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.model.world import Stores


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The owners tell of every refused claim, in thousands of runs."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)
    structlog.configure(**before)


@pytest.fixture
async def stores(store_url: str) -> AsyncIterator[Stores]:
    """Clients of each store in turn."""
    clients = Stores.open(store_url)
    yield clients
    await clients.close()


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Stores]:
    """Clients of Valkey."""
    clients = Stores.open(valkey_url)
    yield clients
    await clients.close()


@pytest.fixture
def runs() -> int | None:
    """How many runs were asked for by STORMFOLD_MODEL_RUNS; None for the few of every day."""
    asked = os.environ.get("STORMFOLD_MODEL_RUNS")
    return int(asked) if asked else None
