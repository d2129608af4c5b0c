"""What commands print for people: tables that are not folded in a pipe, and text that cannot play with a terminal."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

import orjson
from rich.console import Console
from rich.markup import escape

PIPE_WIDTH: Final = 180
HIDDEN: Final = "[hidden]"
_NAMES: Final = (
    r"pass(?:word|wd|phrase)|secret|token|credential|cookie|signature|authorization|"
    r"(?:api|routing|service|integration|access|private|auth)[-_ ]?key"
)
_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
_IN_TEXT: Final = re.compile(
    rf"""([\w-]*(?:{_NAMES})[\w-]*(?:\\?["'])?\s*[:=]\s*(?:\\?["'])?(?:(?:bearer|basic)\s+)?)([^\s"'\\&,;<>{{}}\[\]]+)""",
    re.IGNORECASE,
)
_IN_URL: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def console() -> Console:
    """Standard output; wide where it is no terminal, so that lines stay lines."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def clean(text: str, lines: bool = False) -> str:
    """Text from outside without control characters; line ends stay where `lines` is set."""
    kept = "\n" if lines else ""
    return "".join(letter if letter.isprintable() or letter in kept else " " for letter in text)


def cell(text: str | None) -> str:
    """The same for a table's cell or a line of rich: markup in it is text; `-` where there is nothing."""
    return escape(clean(text)) if text else "-"


def masked(text: str) -> str:
    """Text without what looks like a secret: values after such names, and passwords in URLs."""
    return _IN_TEXT.sub(lambda found: found[1] + HIDDEN, _IN_URL.sub(lambda found: f"{found[1]}{HIDDEN}@", text))


def masked_body(body: bytes) -> str:
    """A body as text, JSON indented, without what looks like a secret. It is for reading, not for sending again."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return masked(body.decode("utf-8", "replace"))
    return orjson.dumps(_masked_value(value), option=orjson.OPT_INDENT_2).decode("utf-8", "replace")


def _masked_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if _NAME.search(name) and isinstance(inner, str | int | float) else _masked_value(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked_value(inner) for inner in value]
    return masked(value) if isinstance(value, str) else value
