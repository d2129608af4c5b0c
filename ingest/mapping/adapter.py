"""The adapter that reads a source by its mapping.

Pure, as all adapters are, and bounded: expressions cannot loop, what they cost is counted over the whole message, and
a message has no more alerts than it has items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, cast

from ingest.adapters.base import Adapter, Message, NotUnderstood, Outcome, Parsed, Reason
from ingest.adapters.making import attempt, finish
from ingest.adapters.reading import decode, kind_of
from ingest.mapping.forms import Form
from ingest.mapping.values import holds
from kernel.config.check_mapping import fields_of
from kernel.config.expressions import Scope
from kernel.config.mapping import MappedKind, MappingConfig

_KEPT: Final = 1_000


class Mapped(Adapter):
    """A source by configuration: the same alert is what its `identity` says."""

    name: ClassVar[str] = "mapping"
    title: ClassVar[str] = "A source by configuration"
    shape: ClassVar[tuple[str, ...]] = ()

    def __init__(self, forms: Sequence[MappingConfig]) -> None:
        self._forms = tuple(Form(form) for form in forms)

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Whether a form's `match` holds."""
        try:
            return self._form(Scope.of(body, headers)) is not None
        except NotUnderstood:
            return False

    def parse(self, message: Message) -> Parsed:
        body = decode(message.body)
        scope = Scope.of(body, message.headers)
        form = self._form(scope)
        if form is None:
            raise NotUnderstood(Reason.MISSING_FIELD, self._missing(body))
        parsed, notes = Parsed(Outcome.IGNORED), dict[str, None]()
        if form.config.kind is MappedKind.IGNORED:
            return finish(parsed, form.config.reason)
        for index, inner in enumerate(form.scopes(scope)):
            attempt(parsed, index, partial(form.make, message, inner, index, parsed, notes))
            if parsed.refusals and parsed.refusals[-1].reason is Reason.TOO_LARGE:
                # Each of the rest would be refused alike: the message is quarantined as a whole.
                raise NotUnderstood(Reason.TOO_LARGE, parsed.refusals[-1].detail)
        if not notes and not parsed.total and not parsed.heartbeats:
            notes["the message's list is empty"] = None
        return finish(parsed, "; ".join(notes))

    def _form(self, scope: Scope) -> Form | None:
        return next((form for form in self._forms if holds(form.config.match, scope)), None)

    def _missing(self, body: Any) -> str:
        matches = " or ".join(form.config.match.text for form in self._forms)[:200]
        if not isinstance(body, dict):
            return f"the body is {kind_of(body)}, and no form of this source matches it ({matches})"
        wanted = dict.fromkeys(field for form in self._forms for field in form.config.match.fields())
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
    # The forms are kept beside it, so that no other object can have their id.
    _made[id(forms)] = (forms, made)
    return made
