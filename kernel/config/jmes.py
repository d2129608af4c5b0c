"""JMESPath as the configuration has it: two functions more, and bounds on what an expression may cost.

Functions: `capture(text, pattern)` is the first group of an RE2 pattern, all of the match where it has no group, null
where it does not match; `lower(text)`. A path cannot loop without end, but it can double its input again and again
(`[@, @][] | [@, @][]`): `compile_path` refuses what could make more than `MAX_GROWTH` messages of one, and
`Interpreter` counts steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import jmespath
import re2
from jmespath import functions
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

MAX_DEPTH: Final = 40
MAX_GROWTH: Final = 64
MAX_STEPS: Final = 1_000_000
"""Of all expressions over one message together: about a second."""
_MAX_JOINED: Final = 256 * 1024
_ESCAPED: Final = 6
"""`to_string` writes one character as six at most."""

_LEAVES: Final = ("field", "current", "identity", "index", "slice", "literal")
_SEQUENCES: Final = ("subexpression", "index_expression", "pipe", "projection", "value_projection")
_LEFT: Final = (*_SEQUENCES, "filter_projection", "flatten")


class TooManySteps(Exception):
    """Reading this message costs more than a message may; says what to do."""


@lru_cache(maxsize=1_024)
def pattern_of(text: str) -> Any:
    """The RE2 pattern. Raises ValueError."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        why = error.args[0] if error.args else ""
        shown = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
        raise ValueError(f"the pattern {text!r} is not RE2: {shown}") from error


class _Functions(functions.Functions):
    """What JMESPath lacks for monitoring systems that put facts into sentences."""

    @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_capture(self, text: str | None, pattern: str) -> str | None:
        found = pattern_of(pattern).search(text) if text is not None else None
        if found is None:
            return None
        value: str | None = found.group(1) if found.re.groups else found.group(0)
        return value

    @functions.signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, between: str, texts: list[str]) -> str:
        if sum(map(len, texts)) + len(between) * len(texts) > _MAX_JOINED:
            raise JMESPathError(f"join makes a text of more than {_MAX_JOINED} characters")
        return between.join(texts)


class Interpreter(TreeInterpreter):
    """Evaluates paths over one message, for at most `MAX_STEPS` steps. Raises TooManySteps then, and JMESPathError."""

    def __init__(self) -> None:
        super().__init__(_OPTIONS)
        self._left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Count steps of other languages. Raises TooManySteps."""
        self._left -= steps
        if self._left < 0:
            raise TooManySteps(f"the source's expressions take more than {MAX_STEPS} steps; send smaller messages")

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self.spend(1)
        return super().visit(node, *args, **kwargs)


_OPTIONS: Final = jmespath.Options(custom_functions=_Functions())


def compile_path(text: str) -> dict[str, Any]:
    """The tree that an Interpreter evaluates. Raises ValueError, saying what is wrong, in one line."""
    try:
        tree = dict[str, Any](jmespath.compile(text).parsed)
        _size(tree, 1, 0)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except (JMESPathError, ValueError) as error:
        # The parser draws an arrow under the place, which no line of a log or a terminal can hold.
        raise ValueError(" ".join(str(error).split("\n")[0].split())) from error
    return tree


def _size(node: dict[str, Any], given: int, depth: int) -> int:
    """How large what the node makes can be, `given` being the size of what it reads, both in messages."""
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deep")
    kind, children, deeper = node["type"], node.get("children", []), depth + 1
    if kind in _LEAVES:
        return given
    if kind in _SEQUENCES:
        for child in children:
            given = _size(child, given, deeper)
    elif kind == "filter_projection":
        base = _size(children[0], given, deeper)
        _size(children[2], base, deeper)
        given = _size(children[1], base, deeper)
    elif kind == "function_expression":
        given = _called(node["value"], children, given, deeper)
    elif kind in ("comparator", "not_expression"):
        given = max(1, *(_size(child, given, deeper) for child in children))
    elif kind in ("or_expression", "and_expression"):
        given = max(_size(child, given, deeper) for child in children)
    else:
        given = sum(_size(child, given, deeper) for child in children)
    if given > MAX_GROWTH:
        raise ValueError("it could make far more of a message than the message is; take fewer parts of it")
    return given


def _called(name: str, arguments: list[dict[str, Any]], given: int, depth: int) -> int:
    table = _Functions.FUNCTION_TABLE
    if name not in table:
        raise ValueError(f"there is no function {name}(); there are {', '.join(sorted(table))}")
    signature = table[name]["signature"]
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if len(arguments) < len(signature) or (len(arguments) > len(signature) and not variadic):
        raise ValueError(f"{name}() takes {len(signature)} arguments, not {len(arguments)}")
    if name == "capture":
        pattern = arguments[1].get("value") if arguments[1]["type"] == "literal" else None
        if not isinstance(pattern, str):
            raise ValueError("the pattern of capture() must stand in single quotes")
        pattern_of(pattern)
    size = sum(_size(argument, given, depth) for argument in arguments if argument["type"] != "expref")
    for argument in arguments:
        if argument["type"] == "expref":
            inner = _size(argument["children"][0], max(size, 1), depth)
            size = inner if name == "map" else size
    return max(size, 1) * (_ESCAPED if name == "to_string" else 1)


def first_fields(node: dict[str, Any]) -> Iterator[str]:
    """The fields of the message that a path begins with: what it needs to have a value."""
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        yield node["value"]
    elif kind in _LEFT:
        # What stands to the right speaks of what is to the left of it, not of the message.
        yield from first_fields(children[0])
    elif kind != "slice":
        for child in children:
            yield from first_fields(child)
