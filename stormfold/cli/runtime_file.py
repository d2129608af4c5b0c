"""What an embedded run tells the other commands of the same user: a 0600 file in the user's runtime folder.

The folder is `$XDG_RUNTIME_DIR/stormfold`, or `stormfold-UID` under the folder for temporary files, made 0700 and
refused if it is anybody else's. One file a run, named by its process; nothing here follows a symbolic link.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kernel.clock import Millis
from stormfold.cli.errors import UserError

_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A run that other commands may speak to. `source_tokens` are by source; `started_at` is in milliseconds."""

    url: str
    kafka: str
    redis: str
    profile: str
    namespace: str
    operator_token: str
    pid: int
    started_at: Millis
    source_tokens: dict[str, str] = msgspec.field(default_factory=dict)
    topic_prefix: str = ""

    def __repr__(self) -> str:
        return f"Running(url={self.url!r}, pid={self.pid})"


def folder(environ: os._Environ[str] | dict[str, str] | None = None) -> Path:
    """Where the files of this user are; it need not exist."""
    places = os.environ if environ is None else environ
    runtime = places.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_absolute() and Path(runtime).is_dir():
        return Path(runtime) / "stormfold"
    return Path(tempfile.gettempdir()) / f"stormfold-{os.getuid()}"


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    """The folder as a descriptor, made if it is not there. Raises UserError where it is not this user's alone."""
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    except OSError as error:
        raise UserError(f"the runtime folder {place} cannot be used ({error.strerror}); remove it") from error
    try:
        facts = os.fstat(directory)
        if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            raise UserError(f"the runtime folder {place} is open to others; remove it, or set XDG_RUNTIME_DIR")
        yield directory
    finally:
        os.close(directory)


def write(running: Running, place: Path | None = None) -> Path:
    """Write the file of a run, replacing an older one of the same process, and return its path.

    Raises UserError where the folder is not this user's alone.
    """
    place = place or folder()
    name, part = _name(running.pid), f"{_name(running.pid)}.part"
    with _opened(place) as directory:
        _unlink(part, directory)
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=directory)
        with os.fdopen(file, "wb") as stream:
            stream.write(msgspec.json.encode(running))
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    return place / name


def remove(pid: int, place: Path | None = None) -> None:
    """Remove the file of a run; nothing happens if there is none."""
    place = place or folder()
    if place.is_dir():
        with _opened(place) as directory:
            _unlink(_name(pid), directory)


def read(place: Path | None = None) -> Running | None:
    """The run started last that still lives, or None. Files of processes that are gone are removed.

    Raises UserError where the folder is not this user's alone.
    """
    place = place or folder()
    if not place.is_dir():
        return None
    living: list[Running] = []
    with _opened(place) as directory:
        for name in os.listdir(directory):
            if not (name.startswith("run-") and name.endswith(".json")):
                continue
            found = _read(name, directory)
            if found is not None and _name(found.pid) == name and _alive(found.pid):
                living.append(found)
            else:
                _unlink(name, directory)
    return max(living, key=lambda running: running.started_at, default=None)


def _name(pid: int) -> str:
    return f"run-{pid}.json"


def _unlink(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def _read(name: str, directory: int) -> Running | None:
    """One file, None if it is not one of ours: a link, another owner's, readable by others, or not understood."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=directory)
    except OSError:
        return None
    with os.fdopen(file, "rb") as stream:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            return None
        try:
            return msgspec.json.decode(stream.read(), type=Running)
        except msgspec.DecodeError:
            return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
