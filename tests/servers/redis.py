"""Redis from Debian's package: the real Redis of the tests (7.0 on Debian 12)."""

import contextlib
from collections.abc import Iterator

from tests.servers.process import program
from tests.servers.valkey import StoreServer


def start(*, persistent: bool = False) -> StoreServer:
    """Start a Redis. Raises :class:`ServerMissing` where there is none."""
    return StoreServer("redis", program("redis-server", "redis-server"), persistent=persistent)


@contextlib.contextmanager
def running(*, persistent: bool = False) -> Iterator[StoreServer]:
    """A Redis for one test."""
    server = start(persistent=persistent)
    try:
        yield server
    finally:
        server.stop()
