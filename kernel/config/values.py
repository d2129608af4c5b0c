"""The scalar types of configuration files: durations and secrets."""

from __future__ import annotations

import re
from pathlib import Path

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+)(ms|s|m|h|d|w)")


class Duration(int):
    """A span of time in whole milliseconds, written as Prometheus writes it: `30s`, `1h30m`, `2d`."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError, saying what would be right, for anything but number-and-unit pairs."""
        total, position = 0, 0
        while position < len(text):
            part = _PART.match(text, position)
            if part is None:
                break
            total += int(part[1]) * _UNITS[part[2]]
            position = part.end()
        if not text or position != len(text):
            raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 30s, 10m, 2h or 1h30m")
        return cls(total)

    def __str__(self) -> str:
        rest, parts = int(self), []
        for unit in ("d", "h", "m", "s", "ms"):
            n, rest = divmod(rest, _UNITS[unit])
            if n:
                parts.append(f"{n}{unit}")
        return "".join(parts) or "0s"


class Secret:
    """A secret named by where it is kept: `{env: NAME}` or `{file: PATH}`. Printing it shows only that place."""

    __slots__ = ("_value", "place")

    def __init__(self, place: str, value: str) -> None:
        self.place = place
        self._value = value

    @classmethod
    def resolve(cls, spec: object, environ: dict[str, str], base: Path) -> Secret:
        """Read it now. `base` is what a relative file path stands on. Raises ValueError with what to do."""
        if isinstance(spec, dict) and len(spec) == 1:
            (kind, name), *_ = spec.items()
            if kind == "env" and isinstance(name, str):
                value = environ.get(name)
                if not value:
                    raise ValueError(f"the environment variable {name} is not set; export it before the start")
                return cls(f"env:{name}", value)
            if kind == "file" and isinstance(name, str):
                try:
                    value = (base / name).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise ValueError(f"the secret's file {name} cannot be read: {error.strerror}") from error
                if not value:
                    raise ValueError(f"the secret's file {name} is empty")
                return cls(f"file:{name}", value)
        raise ValueError("a secret is written {env: NAME} or {file: PATH}, never as plain text")

    def reveal(self) -> str:
        """The secret itself; only for the socket that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.place})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.place, self._value) == (other.place, other._value)

    def __hash__(self) -> int:
        return hash((self.place, self._value))
