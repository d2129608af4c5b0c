"""Label matchers as Alertmanager writes them (`service="checkout"`, `env!~"dev|test"`), compiled to closures.

A missing label is the empty string; regular expressions are RE2 and anchored on both sides.
Source of the rules: Alertmanager's configuration manual, "Matcher".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import re2

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]

_MATCHER = re.compile(r"""^\s*(?P<name>[^\s=!~{}"']+)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>.*?)\s*$""", re.DOTALL)


@dataclass(frozen=True)
class Matcher:
    """One matcher; `matches` reads one label."""

    name: str
    op: str
    value: str
    matches: Predicate

    def __str__(self) -> str:
        return f'{self.name}{self.op}"{self.value}"'


def parse_matcher(text: str) -> Matcher:
    """Raises ValueError with what is wrong and what would be right."""
    found = _MATCHER.match(text)
    if found is None:
        raise ValueError(f'{text!r} is not a matcher; write label="value", label!="value", label=~"re" or label!~"re"')
    name, op, value = found["name"], found["op"], found["value"]
    if value[:1] in "\"'" and value:
        if len(value) < 2 or value[-1] != value[0]:
            raise ValueError(f"{text!r}: the quote that opens the value is not closed")
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value[0] == '"' else value[1:-1]
    return Matcher(name, op, value, _predicate(name, op, value, text))


def _predicate(name: str, op: str, value: str, text: str) -> Predicate:
    if op == "=":
        return lambda labels: labels.get(name, "") == value
    if op == "!=":
        return lambda labels: labels.get(name, "") != value
    try:
        options = re2.Options()
        options.log_errors = False
        pattern = re2.compile(f"^(?:{value})$", options)
    except re2.error as error:
        raise ValueError(f"{text!r}: the pattern is not a regular expression of RE2: {error}") from error
    if op == "=~":
        return lambda labels: pattern.search(labels.get(name, "")) is not None
    return lambda labels: pattern.search(labels.get(name, "")) is None


def compile_all(texts: Sequence[str]) -> Predicate:
    """All matchers must match; an empty list matches everything."""
    predicates = tuple(parse_matcher(text).matches for text in texts)
    if len(predicates) == 1:
        return predicates[0]
    return lambda labels: all(predicate(labels) for predicate in predicates)
