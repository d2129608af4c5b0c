"""CEL as the configuration has it, bounded: it is for conditions, and for choosing between values.

CEL has no loop but its macros. One of them, over a message of `MAX_VALUES` values, is quick; nested ones are not, and
`map` can copy what it reads for each item: `compile_cel` refuses both, and functions that there are not, which CEL
itself would only find when it comes to them. Lists are JMESPath's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import cel

MAX_VALUES: Final = 1_000

_TEXT: Final = re.compile(
    r"""[rR]?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*""", re.DOTALL
)
_MACROS: Final = re.compile(r"\.\s*(all|exists|exists_one|existsOne|filter|map)\s*\(")
_MATCHES: Final = re.compile(r"\bmatches\s*\(\s*(?:<(\d+)>\s*\))?")
_FUNCTIONS: Final = frozenset(
    {
        "contains", "double", "endsWith", "int", "matches", "size", "startsWith", "string", "timestamp", "type", "uint",
        "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMinutes", "getMonth",
        "getSeconds",
    }
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z]\w*")
_UNDEFINED: Final = "Undefined variable"


class NotTaken(Exception):
    """CEL does not take a value of this message; says why."""


def compile_cel(text: str) -> Any:
    """A program for `value_of`. Raises ValueError, saying what is wrong, in one line."""
    try:
        program = cel.compile(text)
    except ValueError as error:
        lines = [line for line in str(error).split("\n") if line.strip()]
        raise ValueError(" ".join(lines[0].split())) from error
    literals: list[str] = []

    def marked(found: re.Match[str]) -> str:
        if found[0].startswith("//"):
            return " "
        literals.append(found[0])
        return f"<{len(literals) - 1}>"

    bare = _TEXT.sub(marked, text)
    macros = _MACROS.findall(bare)
    if "map" in macros:
        raise ValueError("map() is left to JMESPath: items[*].name")
    if len(macros) > 1:
        raise ValueError(f"it goes through a list more than once ({', '.join(macros)}); once is allowed")
    for name in program.functions():
        if _NAME.fullmatch(name) and name not in _FUNCTIONS:
            raise ValueError(f"there is no function {name}(); there are {', '.join(sorted(_FUNCTIONS))}")
    for found in _MATCHES.finditer(bare):
        if found[1] is None:
            raise ValueError("the pattern of matches() must be a text in quotes")
        try:
            cel.evaluate(f"''.matches({literals[int(found[1])]})")
        except RuntimeError as error:
            raise ValueError(f"{literals[int(found[1])]} is no pattern") from error
    return program


def value_of(program: Any, fields: Mapping[str, Any], spend: Callable[[int], None]) -> Any:
    """The program's value in a message, None where a field that it names is not there.

    `spend` is told how many values it reads. Raises NotTaken, and what `spend` raises.
    """
    named = {name: fields[name] for name in program.variables() if name in fields}
    count = _count(named, MAX_VALUES)
    if count > MAX_VALUES:
        raise NotTaken(f"CEL reads at most {MAX_VALUES} values; name a smaller part of the message, or use JMESPath")
    spend(count)
    try:
        found = program.execute(named)
    except LookupError:
        return None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise NotTaken(_first_line(error)) from error
    except RuntimeError as error:
        if str(error).startswith(_UNDEFINED):
            return None
        raise NotTaken(_first_line(error)) from error
    if isinstance(found, datetime):
        return found.isoformat()
    if found is None or isinstance(found, str | bool | int | float | list | dict):
        return found
    raise NotTaken(f"it gives a {type(found).__name__}, which no alert has")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].split())[:200]


def _count(value: Any, most: int) -> int:
    """How many values there are in a JSON value; where there are more than `most`, any number above it."""
    waiting, n = [value], 0
    while waiting and n <= most:
        found = waiting.pop()
        n += 1
        if isinstance(found, dict | list):
            n += len(found)
            if n <= most:
                inner = found.values() if isinstance(found, dict) else found
                waiting.extend(item for item in inner if isinstance(item, dict | list))
    return n
