"""Expressions of the configuration over a message: JMESPath, or CEL where that says it better, or a text as it is.

Written `a.b[0].c` (JMESPath), `{cel: "..."}` or `{text: "..."}`. JMESPath has two functions more: `capture(text,
pattern)` is the first group of an RE2 pattern, null where it does not match; `lower(text)`. Neither language can loop
without end, recurse or reach anything but the message; patterns are RE2, so they are linear too.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import cel
import jmespath
import re2
from jmespath import functions
from jmespath.exceptions import JMESPathError

MAX_TEXT: Final = 2_000
SCOPE: Final = ("root", "item", "headers")
"""What stands in every scope beside the message's own fields."""


class Language(StrEnum):
    """What an expression is written in."""

    JMESPATH = "jmespath"
    CEL = "cel"
    TEXT = "text"


class NoValue(Exception):
    """The expression has no value for this message, because of a type that it does not take; says which."""


@lru_cache(maxsize=1_024)
def _pattern(text: str) -> Any:
    return re2.compile(text)


class _Functions(functions.Functions):
    """What JMESPath lacks for monitoring systems that put facts into sentences."""

    @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_capture(self, text: str | None, pattern: str) -> str | None:
        try:
            found = _pattern(pattern).search(text) if text is not None else None
        except re2.error as error:
            raise JMESPathError(f"the pattern {pattern!r} is not RE2: {error}") from error
        if found is None:
            return None
        value: str | None = found.group(1) if found.re.groups else found.group(0)
        return value

    @functions.signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()


_OPTIONS: Final = jmespath.Options(custom_functions=_Functions())


class Expression:
    """An expression, compiled once. Two are equal where they are written alike."""

    __slots__ = ("_program", "language", "text")

    def __init__(self, text: str, language: Language = Language.JMESPATH) -> None:
        """Raises ValueError, saying what is wrong, for what does not compile."""
        if len(text) > MAX_TEXT:
            raise ValueError(f"an expression has at most {MAX_TEXT} characters; write a shorter one")
        self.language = language
        self.text = text
        self._program: Any = None
        try:
            if language is Language.JMESPATH:
                self._program = jmespath.compile(text)
            elif language is Language.CEL:
                self._program = cel.compile(text)
        except (JMESPathError, ValueError) as error:
            # Both draw an arrow under the place, which no line of a log or a terminal can hold.
            what = " ".join(str(error).split("\n")[0].split())
            raise ValueError(f"{text!r} is not {language.value}: {what}") from error

    def of(self, scope: dict[str, Any]) -> Any:
        """The value in a message, None where it has none. Raises NoValue."""
        if self.language is Language.TEXT:
            return self.text
        try:
            if self.language is Language.CEL:
                return self._program.execute(scope)
            return self._program.search(scope, options=_OPTIONS)
        except RuntimeError as error:
            # A field that is not there: CEL has an error for it where JMESPath has null.
            if isinstance(error, RecursionError):
                raise NoValue(f"{self.text[:80]}: nested too deep") from error
            return None
        except (JMESPathError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise NoValue(f"{self.text[:80]}: {' '.join(str(error).split())[:200]}") from error

    def fields(self) -> Iterator[str]:
        """The fields of the message that a JMESPath begins with: what it needs to have a value."""
        if self.language is Language.JMESPATH:
            yield from (name for name in _first_fields(self._program.parsed) if name not in SCOPE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and (self.language, self.text) == (other.language, other.text)

    def __hash__(self) -> int:
        return hash((self.language, self.text))

    def __repr__(self) -> str:
        return f"Expression({self.language.value}: {self.text})"


_PROJECTIONS: Final = ("subexpression", "index_expression", "projection", "value_projection", "filter_projection")


def _first_fields(node: Any) -> Iterator[str]:
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        yield node["value"]
    elif kind in (*_PROJECTIONS, "flatten", "slice"):
        # What stands to the right speaks of what is to the left of it, not of the message.
        if children:
            yield from _first_fields(children[0])
    else:
        for child in children:
            if isinstance(child, dict):
                yield from _first_fields(child)
