"""Prometheus: the bodies it posts to `/api/v2/alerts` of an Alertmanager.

A list of `{labels, annotations?, startsAt, endsAt, generatorURL}`. There is no status: `endsAt` in the future is
firing (it moves on with every repeat), not after arrival is resolved. Identity is the whole label set; a label with
an empty value is no label, as Prometheus has it.

Times: `observed_at` is arrival, for firing as for resolved, since the body says nowhere when it was sent. A firing
alert stands until its `endsAt`, so `valid_for` is `endsAt` less arrival. Without `endsAt` (absent, null, the zero
time of Go or Unix, or unreadable) an alert fires and states no `valid_for`; an `endsAt` more than a year ahead says
nothing either and is counted as clamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import msgspec

from ingest.adapters.base import (
    About,
    Adapter,
    Default,
    Glance,
    Message,
    NotUnderstood,
    Outcome,
    Parsed,
    Reason,
    clamp,
    severity_of,
)
from ingest.adapters.making import add_alert, attempt, finish
from ingest.adapters.reading import (
    ABSENT,
    UNREADABLE,
    as_object,
    decode,
    decode_as,
    kind_of,
    moment,
    text_at,
    texts_at,
    time_or_none,
)
from ingest.adapters.words import SEVERITIES, annotation_links, label_name
from kernel.clock import Millis
from kernel.model.alert import Status

YEAR_MS: Final = 366 * 86_400_000


_FIRING, _RESOLVED = Status.FIRING, Status.RESOLVED
_NULL: Final = msgspec.Raw(b"null")


class _Seen(msgspec.Struct, gc=False):
    """An alert as the short way sees it: labels and annotations stay bytes until somebody asks."""

    labels: msgspec.Raw
    ends: str | None = msgspec.field(name="endsAt", default=None)
    starts: str | None = msgspec.field(name="startsAt", default=None)
    annotations: msgspec.Raw = _NULL
    url: str | None = msgspec.field(name="generatorURL", default=None)


_decode_all: Final = msgspec.json.Decoder(list[_Seen]).decode
_one: Final = msgspec.json.Decoder(_Seen)
_elements: Final = msgspec.json.Decoder(list[msgspec.Raw])
_texts: Final = msgspec.json.Decoder(dict[str, str] | None)
_UNREADABLE_BODY: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


_CONNECT: Final = """
```yaml
alerting:
  alertmanagers:
    - scheme: http
      static_configs: [{targets: ["stormfold:8080"]}]
```

Prometheus repeats a firing alert every minute and a resolved one for 15 minutes; nothing else has to be set up.
"""


class Prometheus(Adapter):
    """Same alert: the same labels (all of them, annotations and times left out). Source: Prometheus's notifier."""

    name: ClassVar[str] = "prometheus"
    title: ClassVar[str] = "Prometheus (POST /api/v2/alerts)"
    shape: ClassVar[tuple[str, ...]] = ("labels", "annotations", "startsAt", "endsAt", "generatorURL")

    about: ClassVar[About] = About(
        identity="all labels",
        firing="`endsAt` after arrival, or none",
        resolved="`endsAt` not after arrival",
        observed="arrival",
        severity="label `severity`",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A list whose first element has labels and no status of its own."""
        del headers
        if not isinstance(body, list) or not body or not isinstance(body[0], dict):
            return False
        first = body[0]
        return isinstance(first.get("labels"), dict) and "status" not in first and "fingerprint" not in first

    def glance(self, message: Message) -> Sequence[Glance] | None:
        """Key: the labels' bytes. None where any element is not well-formed, so that `parse` can refuse just it."""
        try:
            seen = _decode_all(message.body)
        except _UNREADABLE_BODY:
            return None
        arrival = message.arrival
        glances = []
        for alert in seen:
            ends = alert.ends
            over = ends is not None and 0 < moment(ends) <= arrival
            glances.append(Glance(bytes(alert.labels), _RESOLVED if over else _FIRING, arrival, alert))
        return glances or None

    def build(self, message: Message, glance: Glance, index: int, parsed: Parsed) -> None:
        """The full alert of one glance."""
        attempt(parsed, index, partial(_build, message, glance.raw, index, parsed))

    def parse(self, message: Message) -> Parsed:
        parsed = Parsed(Outcome.IGNORED)
        try:
            elements = _elements.decode(message.body)
        except _UNREADABLE_BODY:
            raise _not_a_list(message.body) from None
        for index, element in enumerate(elements):
            attempt(parsed, index, partial(_build_element, message, element, index, parsed))
        return finish(parsed, "" if elements else "the list of alerts is empty")


def _not_a_list(body: bytes) -> NotUnderstood:
    try:
        found = decode(body)
    except NotUnderstood as error:
        return error
    return NotUnderstood(Reason.WRONG_TYPE, f"the body must be a list of alerts, got {kind_of(found)}")


def _see(element: msgspec.Raw) -> _Seen:
    try:
        seen: _Seen = decode_as(_one, element, "the alert")
    except NotUnderstood as error:
        if error.reason is Reason.WRONG_TYPE:
            raise _complaint(decode(bytes(element)), error.detail) from None
        raise
    return seen


def _complaint(element: Any, otherwise: str) -> NotUnderstood:
    """The first thing that is wrong with a decoded alert, in a sentence that names the field."""
    try:
        found = as_object(element, "an alert")
        if found.get("labels") is None:
            return NotUnderstood(Reason.MISSING_IDENTITY, "labels is missing; an alert is told by its labels")
        for field in ("labels", "annotations"):
            texts_at(found, field)
        for field in ("startsAt", "endsAt", "generatorURL"):
            text_at(found, field)
    except NotUnderstood as error:
        return error
    return NotUnderstood(Reason.WRONG_TYPE, otherwise)


def _pairs(raw: msgspec.Raw, field: str) -> dict[str, str]:
    try:
        pairs: dict[str, str] | None = decode_as(_texts, raw, field)
    except NotUnderstood as error:
        if error.reason is Reason.WRONG_TYPE:
            raise _complaint({"labels": {}, field: decode(bytes(raw))}, error.detail) from None
        raise
    return pairs or {}


def _build_element(message: Message, element: msgspec.Raw, index: int, parsed: Parsed) -> None:
    _build(message, _see(element), index, parsed)


def _build(message: Message, seen: _Seen, index: int, parsed: Parsed) -> None:
    labels = _pairs(seen.labels, "labels")
    annotations = _pairs(seen.annotations, "annotations")
    ends = moment(seen.ends or "")
    status = Status.RESOLVED if 0 < ends <= message.arrival else Status.FIRING
    starts = time_or_none(moment(seen.starts or ""), parsed)
    add_alert(
        message,
        parsed,
        index,
        identity=labels,
        name=label_name(labels),
        status=status,
        severity=severity_of(labels.get("severity"), message.config, SEVERITIES, parsed),
        labels=labels,
        summary=annotations.get("summary", ""),
        description=annotations.get("description") or annotations.get("message", ""),
        links=[*annotation_links(annotations), ("source", seen.url or "")],
        starts_at=starts if starts is None else clamp(starts, message.arrival, parsed),
        ends_at=ends,
        valid_for=_valid_for(ends, message.arrival, parsed),
    )


def _valid_for(ends: Millis, arrival: Millis, parsed: Parsed) -> Millis | None:
    if ends in (ABSENT, UNREADABLE):
        time_or_none(ends, parsed)
        return None
    if ends > arrival + YEAR_MS:
        parsed.took_default(Default.TIME_CLAMPED)
        return None
    return ends - arrival
