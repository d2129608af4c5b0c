"""The demo as a whole: embedded servers, receiver, all roles, the storm, its totals; then, if wanted, it stays up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from kernel.clock import SystemClock, rfc3339
from kernel.config.settings import Settings
from stormfold.cli import runtime_file
from stormfold.cli.errors import UserError
from stormfold.cli.run import running, start_embedded, watch_servers
from stormfold.compose import ROLES, Process, composed, quiet_garbage_collector, say
from stormfold.demo.player import Player
from stormfold.demo.receiver import Answered, Receiver
from stormfold.demo.settings import Secrets, write_config
from stormfold.demo.storm import Storm
from stormfold.demo.totals import Settling, Told, check, told, totals
from stormfold.demo.view import View
from stormfold.embedded.servers import EmbeddedServers
from stormfold.supervise import PartDied, Supervisor, supervised

READY_WITHIN: Final = 30.0
ROUND_EVERY: Final = 0.5
INTERRUPTED: Final = 130
WIDTH: Final = 120


@dataclass(frozen=True)
class Options:
    """What the command line asks for. `lease` is a duration; `repeat_for` goes on with repeats for so many seconds."""

    seed: int = 1
    raw: int = 12_000
    leave: bool = False
    as_json: bool = False
    repeat_for: float = 0.0
    lease: str | None = None
    incidents: Path | None = None


@dataclass
class _Stage:
    """What the parts of a run share."""

    options: Options
    process: Process
    player: Player
    receiver: Receiver
    secrets: Secrets
    console: Console
    over: bool = field(default=False)


def play(options: Options, settings: Settings) -> Coroutine[Any, Any, int]:
    """Run the demo; the result is the exit status. Raises UserError."""
    # What the environment says of other servers is not meant for this run, which brings its own.
    clean = settings.model_copy(
        update={"kafka_security": "PLAINTEXT", "topic_prefix": "", "downstream_prefix": None, "namespace": "demo"}
    )
    return _play(options, clean)


async def _play(options: Options, settings: Settings) -> int:
    drawn = Secrets.draw()
    async with contextlib.AsyncExitStack() as stack:
        servers = EmbeddedServers()
        stack.push_async_callback(servers.stop)
        settings = await start_embedded(settings, servers)
        receiver = Receiver(SystemClock(), drawn.signing)
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        # Beside the store's socket: that folder is removed however this process dies.
        directory = Path(servers.redis_url.removeprefix("unix://")).parent / "config"
        write_config(directory, receiver.url, options.lease)
        composition = composed(settings, directory, ROLES, drawn.environ, _to_stderr)
        process = await stack.enter_async_context(composition)
        hangup = asyncio.Event()
        supervisor = await stack.enter_async_context(supervised(hangup.set))
        # A terminal that closes sends SIGHUP; nothing should stay behind then.
        supervisor.stopping = hangup
        supervisor.add("the embedded servers", lambda stop: watch_servers(servers, stop))
        url = await process.start(supervisor, fallback=True)
        stack.callback(runtime_file.remove, os.getpid())
        runtime_file.write(running(settings, url, drawn.tokens))
        player = Player(process.context, url, drawn.tokens)
        await player.start()
        stack.push_async_callback(player.stop)
        quiet_garbage_collector()
        console = Console(file=sys.stderr, quiet=True) if options.as_json else Console()
        if not console.is_terminal:
            console.width = WIDTH
        stage = _Stage(options, process, player, receiver, drawn, console)
        return await _act(stage, supervisor)


async def _act(stage: _Stage, supervisor: Supervisor) -> int:
    """The storm, under a supervisor: what ends first, the storm or the process, decides."""
    show = asyncio.create_task(_show(stage), name="the storm")
    ended = asyncio.create_task(supervisor.wait())
    try:
        await asyncio.wait([show, ended], return_when=asyncio.FIRST_COMPLETED)
        if show.done():
            show.result()
            if stage.options.leave:
                return 0
            await ended
        else:
            ended.result()
    except PartDied as error:
        raise UserError(str(error)) from error
    finally:
        for task in (show, ended):
            task.cancel()
        await asyncio.wait([show, ended])
        if not stage.options.leave:
            stage.console.print("stopping", highlight=False)
    return 0 if stage.over else INTERRUPTED


async def _show(stage: _Stage) -> None:
    options, context = stage.options, stage.process.context
    await _ready(stage)
    view = View(stage.console, context, stage.player, stage.receiver)
    async with _reader(stage) as settling:
        async with view.running():
            await _storm(stage)
            cut = await settling.cut()
            await settling.applied()
        found = await totals(context, stage.player, stage.receiver, cut - stage.player.first_send)
        incidents = await told(context)
    stage.over = True
    if options.incidents is not None:
        _write(options.incidents, incidents)
    if options.as_json:
        say(msgspec.json.encode(found).decode())
    await check(context, found)
    view.incidents(incidents, found)
    if not options.leave:
        _help(stage)


@contextlib.asynccontextmanager
async def _reader(stage: _Stage) -> AsyncIterator[Settling]:
    bus = stage.process.context.bus
    reader = await bus.start(bus.reader())
    try:
        yield Settling(stage.process.context, stage.player.topic_id, reader)
    finally:
        await reader.stop()


async def _storm(stage: _Stage) -> None:
    clock, options = stage.process.context.clock, stage.options
    storm = Storm(options.seed, options.raw)
    for bodies in storm.phases(clock.now_ms):
        await stage.player.play(bodies)
    until = clock.monotonic() + options.repeat_for
    while clock.monotonic() < until:
        await clock.sleep(ROUND_EVERY)
        await stage.player.play(storm.again(clock.now_ms()))


async def _ready(stage: _Stage) -> None:
    """Wait until every role has its partitions. Raises UserError naming what is not ready."""
    context = stage.process.context
    until = context.clock.monotonic() + READY_WITHIN
    while not (state := context.health.ready())[0]:
        if context.clock.monotonic() > until:
            late = "; ".join(f"{name}: {one['reason']}" for name, one in state[1].items() if not one["ok"])
            raise UserError(f"not ready after {READY_WITHIN:.0f} s: {late}")
        await context.clock.sleep(0.01)
    stage.console.print(f"stormfold runs {', '.join(ROLES)} at {stage.process.url}", highlight=False)
    wanted = context.settings.port
    if wanted and not stage.process.url.endswith(f":{wanted}"):
        stage.console.print(f"(port {wanted} is taken, so it took another)", highlight=False)


def _help(stage: _Stage) -> None:
    url, token = stage.process.url, stage.secrets.tokens["generic"]
    command = "stormfold" if shutil.which("stormfold") else sys.argv[0]
    body = '{"name": "Checkout is slow", "severity": "critical", "service": "checkout", "labels": {"env": "prod"}}'
    lines = [
        "",
        "It stays up. Post an alert of your own:",
        f"  curl -X POST {url}/v1/sources/generic -H 'Authorization: Bearer {token}' \\",
        f"    -H 'Content-Type: application/json' -d '{body}'",
        f"Then: {command} incidents; {command} incident ID; {command} ack ID; {command} resolve ID",
        f"Metrics: {url}/metrics   state: {url}/readyz",
        "Stop it with Ctrl-C. It keeps nothing: the embedded servers are for trying out.",
    ]
    for line in lines:
        stage.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def tell(one: Answered) -> None:
        kind = "page" if one.path == "/page" else "note to the channel"
        line = f"{rfc3339(one.at)} {kind} ({one.action}): {one.title} [{one.incident}]"
        stage.console.print(line, highlight=False, markup=False, soft_wrap=True)

    stage.receiver.tell = tell


def _write(file: Path, incidents: list[Told]) -> None:
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(incidents), indent=1))
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
