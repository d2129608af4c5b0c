"""What no single value of a mapping shows: that it can make what it says it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kernel.config.expressions import Expression
from kernel.config.mapping import MappedKind, MappingConfig, OutcomeMap, StatusMap
from kernel.config.nodes import Path_

Finding = tuple[Path_, str, str]

_NO_ALERT: Final = (MappedKind.IGNORED, MappedKind.HEARTBEAT)


def problems_of(mapping: MappingConfig) -> Iterator[Finding]:
    """Where below the mapping, what is wrong, what to write."""
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
    if mapping.kind is MappedKind.CHANGE:
        yield from _words("outcome", mapping.outcome)
        return
    yield from _words("status", mapping.status)
    if mapping.severity.source is not None and mapping.severity.always is not None:
        yield ("severity",), "severity has both from and always", "write one of them"


def _words(name: str, found: StatusMap | OutcomeMap | None) -> Iterator[Finding]:
    if found is None or (found.source is None and found.always is None):
        hint = f"write {name}: {{from: ..., ...}} with the words of each, or {name}: {{always: ...}}"
        yield (name,), f"the mapping does not say its {name}", hint
        return
    if found.source is not None and found.always is not None:
        yield (name,), f"{name} has both from and always", "write one of them"
    lists = {field: getattr(found, field) for field in found.__struct_fields__ if field not in ("source", "always")}
    if found.source is not None and not any(lists.values()):
        yield (name,), f"{name} names no words", f"write the words of {', '.join(lists)}"
    seen: dict[str, str] = {}
    for field, words in lists.items():
        for word in words:
            if word.lower() in seen:
                what = f"{word!r} stands under {seen[word.lower()]} and under {field}"
                yield (name, field), what, "keep one of them"
            seen[word.lower()] = field


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
