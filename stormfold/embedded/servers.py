"""The owner's side of the embedded servers."""

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO, Any

from aiokafka.client import AIOKafkaClient

from kernel.bus.topic_ids import known_topics
from kernel.bus.topics import TopicChange, TopicSpec, partition_change, raise_refused

START_DEADLINE_S = 20.0
COMMAND_DEADLINE_S = 15.0
STOP_DEADLINE_S = 5.0
_POLL_S = 0.1
_STDERR_TAIL = 2000


class EmbeddedError(RuntimeError):
    """The embedded servers did not start, are gone, or refused a command; the text says why."""


class HostProcess:
    """The host process and its command channel, blocking: fit for threads and for test fixtures.

    ``bootstrap`` is host:port, ``redis_url`` a ``unix://`` URL, ``fixed_partitions`` the only possible partition count
    of a topic or None.
    """

    bootstrap: str
    redis_url: str
    pid: int
    fixed_partitions: int | None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buffer = b""
        self._stopping = False
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        try:
            self._process = subprocess.Popen(
                # -P: a file of the current directory must not be taken for a module of the standard library.
                [sys.executable, "-P", "-m", "stormfold.embedded.host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
            )
        except OSError:
            self._stderr.close()
            raise
        try:
            hello = self._read_line(START_DEADLINE_S)
        except EmbeddedError:
            self.stop()
            raise
        self.bootstrap = hello["bootstrap"]
        self.redis_url = hello["redis"]
        self.pid = hello["pid"]
        self.fixed_partitions = hello["fixed_partitions"]

    def command(self, command: dict[str, Any]) -> None:
        """Send one command and wait for its answer. Raises :class:`EmbeddedError` when it is refused."""
        with self._lock:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps(command).encode() + b"\n")
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError) as error:  # ValueError: closed by stop()
                raise EmbeddedError(self.epitaph()) from error
            answer = self._read_line(COMMAND_DEADLINE_S)
        if not answer["ok"]:
            raise EmbeddedError(answer["error"])

    def dead(self) -> bool:
        """Whether the host has ended."""
        return self._process.poll() is not None

    def epitaph(self) -> str:
        """One sentence on how the host ended."""
        if self._stopping:
            return "the embedded servers were stopped"
        try:
            code = self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            return "the embedded servers' host process does not answer"
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        tail = self._stderr_tail()
        return f"the embedded servers' host process is gone ({how}{'; ' + tail if tail else ''})"

    def stop(self) -> None:
        """End host and servers; returns when they are gone. Safe to call twice."""
        if self._stopping:
            return
        self._stopping = True
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died with a command unread
            self._process.stdin.close()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the watchdog ends Valkey
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def _stderr_tail(self) -> str:
        # The child shares the file's offset, so reads say where they start.
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(0, size - _STDERR_TAIL)
        text = os.pread(self._stderr.fileno(), size - start, start).decode(errors="replace")
        return " / ".join(line for line in text.splitlines() if line.strip())

    def _read_line(self, deadline_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        until = time.monotonic() + deadline_s
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([fd], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(fd, 65536) if readable else b""
            if not chunk:
                if readable:
                    raise EmbeddedError(self.epitaph())
                # A late answer would be taken for the next command's, so a silent host has to go.
                self._process.kill()
                raise EmbeddedError(f"the embedded servers' host process was silent for {deadline_s:.0f} s")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


class EmbeddedServers:
    """Broker and Valkey for one run, and the :class:`~kernel.bus.topics.TopicPort` of that broker.

    Nothing survives: neither :meth:`stop` nor the death of this process or of the host leaves a server or a file.
    ``host`` takes over a host that runs already.
    """

    def __init__(self, host: HostProcess | None = None) -> None:
        self._host = host

    @property
    def bootstrap(self) -> str:
        """The broker's host:port."""
        return self._running().bootstrap

    @property
    def redis_url(self) -> str:
        """Valkey's URL."""
        return self._running().redis_url

    @property
    def pid(self) -> int:
        """The host process."""
        return self._running().pid

    async def start(self, specs: Sequence[TopicSpec] = ()) -> None:
        """Start both servers and create the topics. Raises :class:`EmbeddedError` when they do not start."""
        if self._host is not None:
            raise EmbeddedError("the embedded servers are running already")
        self._host = await asyncio.to_thread(HostProcess)
        try:
            await self.apply(specs)
        except BaseException:
            await self.stop()
            raise

    async def create_topic(self, name: str, partitions: int) -> None:
        """Create one topic. Raises :class:`EmbeddedError`, also when it exists."""
        await self.command({"topic": name, "partitions": partitions})

    async def command(self, command: dict[str, Any]) -> None:
        """One of the host's commands (see :mod:`stormfold.embedded.host`)."""
        await asyncio.to_thread(self._running().command, command)

    async def plan(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """As the port says. Record timestamps and retention are the broker's own and take no setting."""
        if not specs:
            return []
        client: Any = AIOKafkaClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
        try:
            await client.bootstrap()
            known = await known_topics(client, [spec.name for spec in specs])
        finally:
            await client.close()
        changes = (partition_change(spec, known.get(spec.name), can_grow=False) for spec in specs)
        return [change for change in changes if change is not None]

    async def apply(self, specs: Sequence[TopicSpec]) -> list[TopicChange]:
        """As the port says."""
        changes = await self.plan(specs)
        raise_refused(changes)
        wanted = {change.topic for change in changes}
        for spec in specs:
            if spec.name in wanted:
                await self.create_topic(spec.name, spec.partitions)
        return changes

    async def wait_dead(self) -> str:
        """Return one sentence as soon as the host has ended, whether asked to or not."""
        host = self._running()
        while not host.dead():  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(_POLL_S)
        return await asyncio.to_thread(host.epitaph)

    async def stop(self) -> None:
        """End both servers; returns when they are gone. Start may be called again."""
        host, self._host = self._host, None
        if host is not None:
            await asyncio.to_thread(host.stop)

    def _running(self) -> HostProcess:
        if self._host is None:
            raise EmbeddedError("the embedded servers are not running")
        return self._host
