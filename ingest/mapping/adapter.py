"""The adapter that reads a source by its mapping.

Pure, as all adapters are, and bounded: expressions cannot loop, and a message has no more alerts than it has items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, cast

from ingest.adapters.base import Adapter, Message, NotUnderstood, Outcome, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_change, attempt, finish
from ingest.adapters.reading import decode, kind_of
from ingest.adapters.words import SEVERITIES
from ingest.mapping.values import Scope, holds, moment, text, texts, value
from kernel.config.check_mapping import fields_of
from kernel.config.mapping import MappedKind, MappingConfig, OutcomeMap, SeverityMap, StatusMap
from kernel.model.alert import Kind, Severity, Status
from kernel.model.change import ChangeOutcome

_SILENT: Final = "ignored"
_KEPT: Final = 1_000


class Mapped(Adapter):
    """A source by configuration: the same alert is what its `identity` says."""

    name: ClassVar[str] = "mapping"
    title: ClassVar[str] = "A source by configuration"
    shape: ClassVar[tuple[str, ...]] = ()

    def __init__(self, forms: Sequence[MappingConfig]) -> None:
        self._forms = tuple(forms)

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Whether a form's `match` holds."""
        return self._form(_scope(body, headers)) is not None

    def parse(self, message: Message) -> Parsed:
        body = decode(message.body)
        scope = _scope(body, message.headers)
        form = self._form(scope)
        if form is None:
            raise NotUnderstood(Reason.MISSING_FIELD, self._missing(body))
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        if form.kind is MappedKind.IGNORED:
            return finish(parsed, form.reason)
        for index, inner in enumerate(_scopes(form, scope)):
            attempt(parsed, index, partial(_MAKE[form.kind], message, form, inner, index, parsed, silent))
        return finish(parsed, "; ".join(dict.fromkeys(silent[:5])) or ("" if parsed.total else "the list is empty"))

    def _form(self, scope: Scope) -> MappingConfig | None:
        return next((form for form in self._forms if holds(form.match, scope)), None)

    def _missing(self, body: Any) -> str:
        matches = " or ".join(form.match.text for form in self._forms)[:200]
        if not isinstance(body, dict):
            return f"the body is {kind_of(body)}, and no form of this source matches it ({matches})"
        wanted = dict.fromkeys(field for form in self._forms for field in form.match.fields())
        missing = ", ".join(field for field in wanted if field not in body) or "nothing, but its values differ"
        return f"no form of this source matches ({matches}); missing: {missing}"


_made: dict[int, tuple[object, Adapter]] = {}


def mapped(name: str, forms: Sequence[MappingConfig]) -> Adapter:
    """The adapter of a source with this name; the same one while its configuration is in force."""
    known = _made.get(id(forms))
    if known is not None and known[0] is forms and known[1].name == name:
        return known[1]
    fields = dict.fromkeys(field for form in forms for field in fields_of(form))
    headers = tuple(dict.fromkeys(header.lower() for form in forms for header in form.headers))
    facts = {"name": name, "shape": tuple(fields), "headers": headers, "__doc__": Mapped.__doc__}
    made = cast("Adapter", type("Mapped", (Mapped,), facts)(forms))
    if len(_made) >= _KEPT:
        _made.clear()
    _made[id(forms)] = (forms, made)
    return made


def _scope(body: Any, headers: Mapping[str, str]) -> Scope:
    """What expressions read of a whole message."""
    fields = body if isinstance(body, dict) else {}
    return {**fields, "root": body, "headers": dict(headers)}


def _scopes(form: MappingConfig, scope: Scope) -> list[Scope]:
    """One for each alert of the message."""
    if form.each is None:
        return [scope]
    items = value(form.each, scope)
    if not isinstance(items, list):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{form.each.text[:80]} must be a list, got {kind_of(items)}")
    outer = {"root": scope["root"], "headers": scope["headers"]}
    return [{**(item if isinstance(item, dict) else {}), "item": item, **outer} for item in items]


def _word(words: StatusMap | OutcomeMap, scope: Scope, what: str) -> str:
    """The name of the list in which the sender's word stands. Raises NotUnderstood where it stands in none."""
    if words.always is not None:
        return words.always.value
    said = text(words.source, scope, what)
    lists = [name for name in words.__struct_fields__ if name not in ("source", "always")]
    for name in lists:
        if said.lower() in (word.lower() for word in getattr(words, name)):
            return name
    raise NotUnderstood(
        Reason.WRONG_TYPE if said else Reason.MISSING_FIELD,
        f"the {what} {said[:60]!r} stands in none of the source's lists ({', '.join(lists)})",
    )


def _severity(mapping: SeverityMap, message: Message, scope: Scope, parsed: Parsed) -> Severity:
    if mapping.always is not None:
        return mapping.always
    known = {**SEVERITIES, **{word.lower(): severity for word, severity in mapping.map.items()}}
    return severity_of(text(mapping.source, scope, "severity"), message.config, known, parsed)


def _alert(message: Message, form: MappingConfig, scope: Scope, index: int, parsed: Parsed, silent: list[str]) -> None:
    assert form.status is not None
    word = _word(form.status, scope, "status")
    if word == _SILENT:
        said = text(form.status.source, scope, "status")[:60]
        silent.append(form.reason or f"{said} says neither that the alert fires nor that it is over")
        return
    status = Status(word)
    ends = moment(form.ends_at, scope, "ends_at", parsed)
    add_alert(
        message,
        parsed,
        index,
        identity=texts(form.identity, scope, "identity"),
        name=text(form.name, scope, "name"),
        status=status,
        severity=_severity(form.severity, message, scope, parsed),
        labels=texts(form.labels, scope, "labels"),
        observed_at=moment(form.observed_at, scope, "observed_at", parsed),
        kind=Kind.REPORT if form.kind is MappedKind.REPORT else Kind.PROBLEM,
        service=text(form.service, scope, "service") or None,
        summary=text(form.summary, scope, "summary"),
        description=text(form.description, scope, "description"),
        links=list(texts(form.links, scope, "links").items()),
        starts_at=moment(form.starts_at, scope, "starts_at", parsed),
        ends_at=ends if status is Status.RESOLVED else None,
        valid_for=valid_for(message.config),
    )


def _change(message: Message, form: MappingConfig, scope: Scope, index: int, parsed: Parsed, silent: list[str]) -> None:
    assert form.outcome is not None
    word = _word(form.outcome, scope, "outcome")
    if word == _SILENT:
        silent.append(form.reason or f"{text(form.outcome.source, scope, 'outcome')[:60]} is no change")
        return
    links = [href for href in texts(form.links, scope, "links").values() if href]
    add_change(
        message,
        parsed,
        index,
        identity=texts(form.identity, scope, "identity"),
        what=form.what,
        name=text(form.name, scope, "name"),
        outcome=ChangeOutcome(word),
        when=moment(form.observed_at, scope, "observed_at", parsed),
        service=text(form.service, scope, "service"),
        where=text(form.where, scope, "where"),
        who=text(form.who, scope, "who"),
        revision=text(form.revision, scope, "revision"),
        link=links[0] if links else None,
        summary=text(form.summary, scope, "summary"),
        labels=texts(form.labels, scope, "labels"),
    )


def _heartbeat(
    message: Message, form: MappingConfig, scope: Scope, index: int, parsed: Parsed, silent: list[str]
) -> None:
    del message, index, silent
    name = text(form.name, scope, "name")
    if not name:
        raise NotUnderstood(Reason.MISSING_FIELD, "the heartbeat has no name")
    parsed.heartbeats.append(name)


_MAKE: Final = {
    MappedKind.PROBLEM: _alert,
    MappedKind.REPORT: _alert,
    MappedKind.CHANGE: _change,
    MappedKind.HEARTBEAT: _heartbeat,
}
