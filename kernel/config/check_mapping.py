"""What no single value of a mapping shows: that it can make what it says it makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kernel.config.expressions import Expression
from kernel.config.mapping import MappedKind, MappingConfig, OutcomeMap, SeverityMap, StatusMap
from kernel.config.nodes import Path_

Finding = tuple[Path_, str, str]

_OF_ALL: Final = frozenset(("match", "kind", "headers", "reason"))
_OF_BOTH: Final = _OF_ALL | {"each", "identity", "name", "service", "summary", "observed_at", "links", "labels"}
_OF_ALERTS: Final = _OF_BOTH | {"status", "severity", "description", "starts_at", "ends_at"}
_FIELDS: Final = {
    MappedKind.PROBLEM: _OF_ALERTS,
    MappedKind.REPORT: _OF_ALERTS,
    MappedKind.CHANGE: _OF_BOTH | {"outcome", "what", "where", "who", "revision"},
    MappedKind.HEARTBEAT: _OF_ALL | {"each", "name"},
    MappedKind.IGNORED: _OF_ALL,
}
_NO_LABEL: Final = re.compile(r"[\s=!~{}\"',]")
_WHOLE: Final = "*"
_BLANK: Final = MappingConfig(match=Expression("@"))


def problems_of(mapping: MappingConfig) -> Iterator[Finding]:
    """Where below the mapping, what is wrong, what to write."""
    yield from _useless(mapping)
    if mapping.kind is MappedKind.IGNORED:
        if not mapping.reason:
            yield ("reason",), "what is ignored has no reason", "write reason: ..., which `source try` shows"
        return
    if mapping.name is None:
        yield ("name",), "the mapping has no name", "write name: and where the name of the alert stands"
    if mapping.kind is MappedKind.HEARTBEAT:
        return
    if not mapping.identity:
        hint = "write identity: {id: ...}, what the sender uses to tell the same alert again"
        yield ("identity",), "nothing identifies an alert of this mapping", hint
    for label in mapping.labels:
        if label != _WHOLE and (not label or _NO_LABEL.search(label)):
            yield ("labels", label), f"{label!r} is not the name of a label", "write letters, digits and underscores"
    if mapping.kind is MappedKind.CHANGE:
        yield from _words("outcome", mapping.outcome)
        return
    yield from _words("status", mapping.status)
    yield from _severity(mapping.severity)


def _useless(mapping: MappingConfig) -> Iterator[Finding]:
    """Fields that this kind does not have: whoever wrote them expects something of them."""
    for name in mapping.__struct_fields__:
        if name not in _FIELDS[mapping.kind] and getattr(mapping, name) != getattr(_BLANK, name):
            kinds = ", ".join(kind for kind, names in _FIELDS.items() if name in names)
            yield (name,), f"what is mapped as {mapping.kind} has no {name}", f"leave it out; it is for {kinds}"


def _severity(severity: SeverityMap) -> Iterator[Finding]:
    if severity.always is not None and (severity.source is not None or severity.map):
        yield ("severity",), "severity has always, and something beside it", "write always alone, or from and map"
    if severity.map and severity.source is None and severity.always is None:
        yield ("severity",), "severity has a map and no from", "write from: and where the word stands"


def _words(name: str, found: StatusMap | OutcomeMap | None) -> Iterator[Finding]:
    if found is None or (found.source is None and found.always is None):
        hint = f"write {name}: {{from: ..., ...}} with the words of each, or {name}: {{always: ...}}"
        yield (name,), f"the mapping does not say its {name}", hint
        return
    lists = {field: getattr(found, field) for field in found.__struct_fields__ if field not in ("source", "always")}
    if found.always is not None and (found.source is not None or any(lists.values())):
        yield (name,), f"{name} has always, and something beside it", "write always alone, or from and its words"
    if found.source is not None and not any(lists.values()):
        yield (name,), f"{name} names no words", f"write the words of {', '.join(lists)}"
    seen: dict[str, str] = {}
    for field, words in lists.items():
        for word in words:
            known = word.strip().lower()
            if not known:
                yield (name, field), "a word is empty", "leave it out: a message without the word is refused"
            elif known in seen:
                what = f"{word!r} stands under {seen[known]} and under {field}"
                yield (name, field), what, "keep one of them"
            seen[known] = field


def fields_of(mapping: MappingConfig) -> Iterator[str]:
    """The fields of a message that the mapping begins with, for the sentence about the nearest source."""
    expressions = [mapping.match, mapping.each] if mapping.each is not None else [mapping.match, *_all(mapping)]
    for expression in expressions:
        if expression is not None:
            yield from expression.fields()


def _all(mapping: MappingConfig) -> Iterator[Expression | None]:
    yield mapping.name
    yield from mapping.identity.values()
    for words in (mapping.status, mapping.outcome):
        if words is not None:
            yield words.source
