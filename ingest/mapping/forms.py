"""One form of a source's messages, ready to read: its words looked up once, then each alert by its expressions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ingest.adapters.base import Message, NotUnderstood, Parsed, Reason, severity_of
from ingest.adapters.groups import valid_for
from ingest.adapters.making import add_alert, add_change
from ingest.adapters.reading import kind_of
from ingest.adapters.words import SEVERITIES
from ingest.mapping.values import moment, text, texts, value
from kernel.config.expressions import Expression, Scope
from kernel.config.mapping import MappedKind, MappingConfig, OutcomeMap, SeverityMap, StatusMap
from kernel.model.alert import Kind, Severity, Status
from kernel.model.change import ChangeOutcome
from kernel.model.naming import own_key

_IGNORED: Final = "ignored"
_NOTES: Final = 5


class Words:
    """Which of a form's lists the sender's word stands in."""

    def __init__(self, what: str, of: StatusMap | OutcomeMap) -> None:
        self._what = what
        self._of = of
        self._lists = [name for name in of.__struct_fields__ if name not in ("source", "always")]
        self._known = {word.lower(): name for name in self._lists for word in getattr(of, name)}

    def list_of(self, scope: Scope) -> str:
        """The name of the list. Raises NotUnderstood for a word that stands in none: nothing is guessed."""
        if self._of.always is not None:
            return self._of.always.value
        said = self.said(scope)
        found = self._known.get(said.strip().lower())
        if found is not None:
            return found
        if not said:
            written = self._of.source.text[:80] if self._of.source is not None else self._what
            raise NotUnderstood(Reason.MISSING_FIELD, f"there is no {self._what}: {written} has no value")
        raise NotUnderstood(
            Reason.WRONG_TYPE,
            f"the {self._what} {said[:60]!r} stands in none of the source's lists ({', '.join(self._lists)})",
        )

    def said(self, scope: Scope) -> str:
        """The word itself."""
        return text(self._of.source, scope, self._what)


class Form:
    """A form that makes something of a message. `notes` of its methods are the reasons of what was left out."""

    def __init__(self, config: MappingConfig) -> None:
        self.config = config
        self._status = Words("status", config.status or StatusMap())
        self._outcome = Words("outcome", config.outcome or OutcomeMap())
        self._severities = _severities(config.severity)

    def scopes(self, scope: Scope) -> Iterable[Scope]:
        """One for each alert of the message. Raises NotUnderstood where `each` is no list."""
        each = self.config.each
        if each is None:
            return (scope,)
        items = value(each, scope)
        if not isinstance(items, list):
            raise NotUnderstood(Reason.WRONG_TYPE, f"{each.text[:80]} must be a list, got {kind_of(items)}")
        return (scope.of_item(item) for item in items)

    def make(self, message: Message, scope: Scope, index: int, parsed: Parsed, notes: dict[str, None]) -> None:
        """What the form's kind says, of one item. Raises NotUnderstood."""
        match self.config.kind:
            case MappedKind.CHANGE:
                self._change(message, scope, index, parsed, notes)
            case MappedKind.HEARTBEAT:
                self._heartbeat(scope, parsed)
            case _:
                self._alert(message, scope, index, parsed, notes)

    def _alert(self, message: Message, scope: Scope, index: int, parsed: Parsed, notes: dict[str, None]) -> None:
        form = self.config
        word = self._status.list_of(scope)
        if word == _IGNORED:
            said = self._status.said(scope)[:60]
            _note(notes, form.reason or f"{said} says neither that the alert fires nor that it is over")
            return
        identity, labels = self._identity(scope), texts(form.labels, scope, "labels")
        if _is_own(identity, labels, notes):
            return
        status = Status(word)
        add_alert(
            message,
            parsed,
            index,
            identity=identity,
            name=text(form.name, scope, "name"),
            status=status,
            severity=self._severity(message, scope, parsed),
            labels=labels,
            observed_at=moment(form.observed_at, scope, "observed_at", parsed),
            kind=Kind.REPORT if form.kind is MappedKind.REPORT else Kind.PROBLEM,
            service=text(form.service, scope, "service") or None,
            summary=text(form.summary, scope, "summary"),
            description=text(form.description, scope, "description"),
            links=list(texts(form.links, scope, "links").items()),
            starts_at=moment(form.starts_at, scope, "starts_at", parsed),
            ends_at=moment(form.ends_at, scope, "ends_at", parsed) if status is Status.RESOLVED else None,
            valid_for=valid_for(message.config),
        )

    def _change(self, message: Message, scope: Scope, index: int, parsed: Parsed, notes: dict[str, None]) -> None:
        form = self.config
        word = self._outcome.list_of(scope)
        if word == _IGNORED:
            _note(notes, form.reason or f"{self._outcome.said(scope)[:60]} is no change")
            return
        identity, labels = self._identity(scope), texts(form.labels, scope, "labels")
        if _is_own(identity, labels, notes):
            return
        links = (href for href in texts(form.links, scope, "links").values() if href)
        add_change(
            message,
            parsed,
            index,
            identity=identity,
            what=form.what,
            name=text(form.name, scope, "name"),
            outcome=ChangeOutcome(word),
            when=moment(form.observed_at, scope, "observed_at", parsed),
            service=text(form.service, scope, "service") or None,
            where=text(form.where, scope, "where") or None,
            who=text(form.who, scope, "who") or None,
            revision=text(form.revision, scope, "revision") or None,
            link=next(links, None),
            summary=text(form.summary, scope, "summary"),
            labels=labels,
        )

    def _heartbeat(self, scope: Scope, parsed: Parsed) -> None:
        name = text(self.config.name, scope, "name")
        if not name:
            raise NotUnderstood(Reason.MISSING_FIELD, f"the heartbeat has no name: {_written(self.config.name)}")
        parsed.heartbeats.append(name)

    def _identity(self, scope: Scope) -> dict[str, str]:
        found = texts(self.config.identity, scope, "identity")
        if not any(found.values()):
            wanted = " or ".join(_written(expression) for expression in self.config.identity.values())
            raise NotUnderstood(
                Reason.MISSING_IDENTITY, f"nothing tells this alert from another: {wanted[:200]} must have a value"
            )
        return found

    def _severity(self, message: Message, scope: Scope, parsed: Parsed) -> Severity:
        found = self.config.severity
        if found.always is not None:
            return found.always
        return severity_of(text(found.source, scope, "severity"), message.config, self._severities, parsed)


def _severities(of: SeverityMap) -> dict[str, Severity]:
    return {**SEVERITIES, **{word.strip().lower(): severity for word, severity in of.map.items()}}


def _written(expression: Expression | None) -> str:
    return expression.text if expression is not None else ""


def _note(notes: dict[str, None], reason: str) -> None:
    if len(notes) < _NOTES:
        notes[reason] = None


def _is_own(identity: dict[str, str], labels: dict[str, str], notes: dict[str, None]) -> bool:
    """What carries stormfold's own key is about an incident that stormfold told of itself, never a new alert."""
    for key in (*identity.values(), *labels.values()):
        if own_key(key) is not None:
            _note(notes, f"{key} is stormfold's own key, so it is no new alert")
            return True
    return False
