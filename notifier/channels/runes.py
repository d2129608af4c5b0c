"""Plain text for people: clean of control characters, cut by runes (code points) with a visible ellipsis.

What is shown comes from monitoring systems, so it may try to move a terminal's cursor or to turn the direction of
writing; both become a visible replacement character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

ELLIPSIS = "…"

# C0 and C1 controls but line feed and tab, line and paragraph separators, bidirectional overrides and isolates,
# and lone surrogates, which no encoder takes.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]",
)
_BREAKS = re.compile(r"\s*[\r\n\t]+\s*")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]*")
_SIGNING = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")


def clean(text: str) -> str:
    """Text of several lines: line feeds and tabs stay, every other control becomes U+FFFD."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Text of one line: runs of line breaks and tabs become one space."""
    return clean(_BREAKS.sub(" ", text)).strip()


def cut(text: str, runes: int) -> str:
    """At most `runes` code points; what was cut ends with `…`."""
    return text if len(text) <= runes else text[: max(runes - 1, 0)] + ELLIPSIS


def shrink(value: Any, runes: int, items: int) -> Any:
    """A JSON value with every string cleaned and cut to `runes` and every list and object cut to `items` entries."""
    if isinstance(value, str):
        return cut(clean(value), runes)
    if isinstance(value, Mapping):
        kept = list(value.items())[:items]
        return {cut(clean(str(key)), runes): shrink(inner, runes, items) for key, inner in kept}
    if isinstance(value, list | tuple):
        return [shrink(inner, runes, items) for inner in value[:items]]
    return value


def redact(text: str, secrets: Iterable[str] = (), runes: int = 200) -> str:
    """One line without URLs, signing secrets and the `secrets` given, at most `runes` long."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "<secret>")
    return cut(one_line(_SIGNING.sub("<secret>", _URL.sub("<url>", text))), runes)
