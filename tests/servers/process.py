"""A server as a child process that cannot outlive the tests, with its log kept for failures."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import psutil

# Prints the server's pid, then waits: end of standard input means that the tests are over or dead, and the server's
# files go as well; a line means that they stay.
_WATCHDOG = (
    'd=$1 log=$2; shift 2; "$@" </dev/null >>"$log" 2>&1 & p=$!; echo $p; trap "" HUP INT TERM; '
    'read _; gone=$?; kill -9 $p; wait $p; [ $gone = 0 ] || rm -rf "$d"'
)
_TAIL_BYTES = 4000


class ServerMissing(RuntimeError):
    """A server's program is not on this machine; the text says which and how to get it."""


class ServerFailed(RuntimeError):
    """A server did not start; the text ends with the tail of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str, package: str) -> str:
    """Path of a program. Raises :class:`ServerMissing` naming the Debian package that has it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ServerMissing(f"{name} is missing: on Debian or Ubuntu, apt-get install {package}")
    return path


def private_directory(name: str) -> Path:
    """A new directory for one server's files, short enough for a socket in it."""
    return Path(tempfile.mkdtemp(prefix=f"sf-{name}-", dir="/tmp"))


def http_ok(url: str) -> bool:
    """Whether a GET answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class ServerProcess:
    """One server process. ``pid`` is the server's own; ``log`` its output's path inside ``directory``."""

    def __init__(self, name: str, arguments: Sequence[str], directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.log = directory / f"{name}.log"
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(directory), str(self.log), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the shell's own "Killed"
            cwd=directory,
            start_new_session=True,
        )
        assert self._watchdog.stdout is not None
        self.pid = int(self._watchdog.stdout.readline())

    def alive(self) -> bool:
        """Whether the server runs; a zombie does not."""
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else "(no log)"

    def wait_ready(self, probe: Callable[[], bool], deadline_s: float = 60.0) -> Self:
        """Poll until ``probe`` holds. Raises :class:`ServerFailed` when the server dies or stays silent."""
        until = time.monotonic() + deadline_s
        while not probe():
            if not self.alive() or time.monotonic() > until:
                why = f"is not ready after {deadline_s:.0f} s" if self.alive() else "died at start"
                tail = self.tail()
                self.stop()
                raise ServerFailed(f"{self.name} {why}. Its log ends:\n{tail}")
            time.sleep(0.02)
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; returns when the server is dead. Its directory stays until :meth:`stop`."""
        assert self._watchdog.stdin is not None
        if not self._watchdog.stdin.closed:
            self._watchdog.stdin.write(b"keep\n")
        self._end()

    def stop(self) -> None:
        """End the server at once and remove its files. Safe to call twice."""
        self._end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self) -> None:
        assert self._watchdog.stdin is not None
        assert self._watchdog.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._watchdog.stdin.close()
        self._watchdog.wait(30)
        self._watchdog.stdout.close()
