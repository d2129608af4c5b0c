"""Expressions of the configuration over a message: JMESPath, or CEL where that says it better, or a text as it is.

Written `a.b[0].c` (JMESPath), `{cel: "..."}` or `{text: "..."}`. Neither language can loop without end, recurse or
reach anything but the message, and what they may cost is bounded (`jmes.py`, `cels.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from jmespath.exceptions import JMESPathError

from kernel.config.cels import NotTaken, compile_cel, value_of
from kernel.config.jmes import Interpreter, TooManySteps, compile_path, first_fields

MAX_TEXT: Final = 2_000
BESIDE: Final = ("root", "item", "headers")
"""What stands in a scope beside the message's own fields."""


class Language(StrEnum):
    """What an expression is written in."""

    JMESPATH = "jmespath"
    CEL = "cel"
    TEXT = "text"


class NoValue(Exception):
    """The expression has no value for this message, because of a type or a size that it does not take; says which."""


class TooLarge(NoValue):
    """All expressions over this message together cost more than a message may."""


class Scope:
    """What expressions read: a message, or one item of it.

    Its own fields, hidden by `root` (the whole message), `headers` and, of an item, `item`. What all expressions over
    the message and its items cost together is counted in one place.
    """

    __slots__ = ("_interpreter", "fields")

    def __init__(self, fields: dict[str, Any], interpreter: Interpreter) -> None:
        self.fields = fields
        self._interpreter = interpreter

    @classmethod
    def of(cls, root: Any, headers: Mapping[str, str]) -> Scope:
        """The scope of a message: its decoded body, and its headers in lower case."""
        return cls({**_own(root), "root": root, "headers": dict(headers)}, Interpreter())

    def of_item(self, item: Any) -> Scope:
        """The scope of an item of this message."""
        outer = {name: self.fields[name] for name in ("root", "headers")}
        return Scope({**_own(item), **outer, "item": item}, self._interpreter)

    def search(self, tree: dict[str, Any]) -> Any:
        """What a path finds. Raises TooManySteps and what the path itself raises."""
        return self._interpreter.visit(tree, self.fields)

    def spend(self, steps: int) -> None:
        """Count what else is done for the message. Raises TooManySteps."""
        self._interpreter.spend(steps)


def _own(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Expression:
    """An expression, compiled once. Two are equal where they are written alike."""

    __slots__ = ("_program", "language", "text")

    def __init__(self, text: str, language: Language = Language.JMESPATH) -> None:
        """Raises ValueError, saying what is wrong, for what does not compile or could cost too much."""
        if len(text) > MAX_TEXT:
            raise ValueError(f"an expression has at most {MAX_TEXT} characters; write a shorter one")
        self.language = language
        self.text = text
        self._program: Any = None
        try:
            if language is Language.JMESPATH:
                self._program = compile_path(text)
            elif language is Language.CEL:
                self._program = compile_cel(text)
        except ValueError as error:
            raise ValueError(f"{text[:120]!r} is not {language.value}: {error}") from error

    def of(self, scope: Scope) -> Any:
        """The value in a message, None where it has none. Raises NoValue."""
        try:
            if self.language is Language.JMESPATH:
                return scope.search(self._program)
            scope.spend(1)
            return self.text if self.language is Language.TEXT else value_of(self._program, scope.fields, scope.spend)
        except TooManySteps as error:
            raise TooLarge(str(error)) from error
        except RecursionError as error:
            raise NoValue(f"{self.text[:80]}: nested too deep") from error
        except (JMESPathError, NotTaken, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise NoValue(f"{self.text[:80]}: {' '.join(str(error).split())[:200]}") from error

    def fields(self) -> Iterator[str]:
        """The fields of the message that a JMESPath begins with: what it needs to have a value."""
        if self.language is Language.JMESPATH:
            yield from (name for name in first_fields(self._program) if name not in BESIDE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and (self.language, self.text) == (other.language, other.text)

    def __hash__(self) -> int:
        return hash((self.language, self.text))

    def __repr__(self) -> str:
        return f"Expression({self.language.value}: {self.text})"
