"""The demo as a process of its own, in a runtime folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stormfold.cli import runtime_file

FINISHED = 90.0
ALIVE = 20.0


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a demo that takes any port and whose runtime file lies under `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STORMFOLD_")}
    return kept | {"XDG_RUNTIME_DIR": str(folder), "STORMFOLD_PORT": "0"} | more


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def totals(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        assert self.status == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


def ended(folder: Path, *arguments: str, python: Sequence[str] = (sys.executable,), **more: str) -> Ended:
    """Run `stormfold demo --exit --json` to its end."""
    command = [*python, "-m", "stormfold", "demo", "--exit", "--json", *arguments]
    done = subprocess.run(
        command,
        env=environment(folder, **more),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=FINISHED,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def story(file: Path) -> list[tuple[Any, ...]]:
    """The incidents of a run by what two runs must have in common."""
    return sorted(
        (one["rule"], json.dumps(one["group"]), one["members"], one["count"], one["priority"], one["team"])
        for one in json.loads(file.read_bytes())
    )


@dataclass
class Living:
    """A demo that is running, and everything it started."""

    process: subprocess.Popen[str]
    folder: Path

    def found(self) -> runtime_file.Running:
        """What its runtime file says, once it is there."""
        until = time.monotonic() + ALIVE
        while time.monotonic() < until:
            running = runtime_file.read(self.folder / "stormfold")
            if running is not None:
                return running
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        raise AssertionError("the demo wrote no runtime file")

    def family(self) -> list[psutil.Process]:
        """The process, its children and theirs."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def wait_for(self, words: str) -> str:
        """Read standard output up to a line with these words."""
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if words in line:
                return seen
        raise AssertionError(f"the demo ended without {words!r}: {seen} {self.process.communicate()[1]}")


@contextmanager
def living(folder: Path, *arguments: str) -> Iterator[Living]:
    """`stormfold demo` as it stays up; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stormfold", "demo", *arguments],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Living(process, folder)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def left_alive(family: Sequence[psutil.Process], within: float) -> list[psutil.Process]:
    """Those that still run after so many seconds; a zombie does not run."""
    until = time.monotonic() + within
    while True:
        alive = [one for one in family if _runs(one)]
        if not alive or time.monotonic() > until:
            return alive
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
