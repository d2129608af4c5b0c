"""Print the part of a lock file that stormfold needs to run: its dependencies and theirs, with their hashes.

    python deploy/runtime_lock.py requirements.lock pyproject.toml [EXTRA ...] >runtime.lock

Run it with an interpreter that has the whole lock installed: which package needs which is read from their metadata.
Nothing is resolved anew, so what comes out are lines of the lock file and no others.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")


def blocks(lock: str) -> dict[str, str]:
    """The entries of a lock file by their canonical names: the line with the version and those with the hashes."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in lock.splitlines(keepends=True):
        name = _NAME.match(line)
        if name is not None:
            lines = found.setdefault(canonicalize_name(name[1]), [])
        if not line.startswith("#"):
            lines.append(line)
    return {name: "".join(parts) for name, parts in found.items()}


def needed(roots: Iterable[str], locked: Iterable[str]) -> set[str]:
    """Canonical names of everything that the requirements `roots` bring along on this interpreter.

    Raises SystemExit for one that is not installed or not in the lock file.
    """
    known, seen = set(locked), set[tuple[str, str]]()
    waiting = [(Requirement(text), "") for text in roots]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in known:
            raise SystemExit(f"{name} is needed but not in the lock file: run make lock")
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(text), wanted) for text in _requires(name)]
    return {name for name, _ in seen}


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed here: install the whole lock file first") from None


def runtime_lock(lock: str, project: str, extras: Sequence[str] = ()) -> str:
    """The lock file's entries for the dependencies of `project` (the text of a pyproject.toml) and these extras."""
    table = tomllib.loads(project)["project"]
    roots = [*table["dependencies"], *(text for name in extras for text in table["optional-dependencies"][name])]
    entries = blocks(lock)
    names = needed(roots, entries)
    return "".join(entries[name] for name in sorted(names))


if __name__ == "__main__":
    lock_file, project_file, *chosen = sys.argv[1:]
    text = runtime_lock(Path(lock_file).read_text("utf-8"), Path(project_file).read_text("utf-8"), chosen)
    sys.stdout.write(text)
