"""The shape every adapter has: a vendor's body in, alerts and refusals out, nothing guessed.

An adapter is pure: it reads a `Message` and returns a `Parsed`. It raises `NotUnderstood` where the whole body is
not what its vendor sends; a body in which single alerts are bad returns those as refusals beside the good ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

import msgspec

from kernel.clock import Millis
from kernel.config.schema import SourceConfig
from kernel.model.alert import Alert, Origin, Severity, Status
from kernel.model.change import Change
from kernel.model.signals import CommandBody

CLAMP_MS = 5 * 60_000
_MAX_DETAIL = 600
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Outcome(StrEnum):
    """What a body is, as `stormfold source try` shows it."""

    ALERTS = "alerts"
    CHANGES = "changes"
    REPORT = "report"
    HEARTBEAT = "heartbeat"
    HANDSHAKE = "handshake"
    IGNORED = "ignored"
    COMMANDS = "commands"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why something became a dead letter; a bounded label of metrics."""

    INVALID_JSON = "invalid_json"
    WRONG_TYPE = "wrong_type"
    MISSING_IDENTITY = "missing_identity"
    MISSING_FIELD = "missing_field"
    TOO_LARGE = "too_large"
    UNKNOWN_SOURCE = "unknown_source"
    NOT_DETECTED = "not_detected"
    COMMAND_NOT_ALLOWED = "command_not_allowed"
    COMMAND_EXPIRED = "command_expired"
    BAD_ENCODING = "bad_encoding"
    INTERNAL_ERROR = "internal_error"


class Default(StrEnum):
    """A documented default that was taken because the sender left something out or wrote nonsense; counted."""

    SEVERITY_MISSING = "severity_missing"
    SEVERITY_UNKNOWN = "severity_unknown"
    TIME_CLAMPED = "time_clamped"
    TIME_UNREADABLE = "time_unreadable"
    CONTROL_CHARACTERS = "control_characters"
    TRUNCATED = "truncated"


def printable(text: str) -> str:
    """A sentence that may quote a body, without what cannot be printed."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


class NotUnderstood(Exception):
    """The body as a whole is not of this vendor's form; becomes one dead letter.

    `detail` is a sentence for a person. It may quote the body, so what cannot be printed is taken out here.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        detail = printable(detail[:_MAX_DETAIL])
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Message(msgspec.Struct, frozen=True):
    """A raw message: its bytes (already unpacked), lower-case headers, and where and when it arrived.

    `origin` has item 0; the adapter replaces it by the alert's place in the body. A Struct, as `Glance` is: one is
    made for every record, and a frozen dataclass costs ten times as much to make.
    """

    body: bytes
    source: str
    config: SourceConfig
    tenant: str
    arrival: Millis
    origin: Origin
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def origin_of(self, index: int) -> Origin:
        """The origin of the alert at this place in the body."""
        return self.origin._replace(item=index)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One alert of a body that cannot be taken: its place, why, and a sentence for a person."""

    index: int
    reason: Reason
    detail: str


@dataclass(slots=True)
class Parsed:
    """What an adapter made of a body. `total` alerts and changes were in it: good ones and refused ones.

    `heartbeats` are the names of heartbeats that the body itself is, beside those that its alerts may be. `source` is
    what a body was known as by its form, empty where its record names one.
    """

    outcome: Outcome
    alerts: list[Alert] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    commands: list[CommandBody] = field(default_factory=list)
    heartbeats: list[str] = field(default_factory=list)
    defaults: dict[Default, int] = field(default_factory=dict)
    reason: str = ""
    source: str = ""

    @property
    def total(self) -> int:
        """Alerts and changes in the body, good and refused."""
        return len(self.alerts) + len(self.changes) + len(self.refusals)

    @property
    def understood(self) -> bool:
        """Whether anything of the body was, be it that nothing is in it for us."""
        return not self.refusals or bool(self.alerts or self.changes or self.commands or self.heartbeats)

    def took_default(self, default: Default, n: int = 1) -> None:
        """Count a documented default."""
        self.defaults[default] = self.defaults.get(default, 0) + n


class Glance(msgspec.Struct, frozen=True, gc=False):
    """One alert of a body, seen without decoding it: the hot path of repeats.

    `key` are the raw bytes that decide identity, severity and every fact but times: an alert with the same bytes of
    the same source is the same alert. `build` of the adapter makes the full alert of it where that is needed.
    """

    key: bytes
    status: Status
    observed: Millis
    raw: Any


@dataclass(frozen=True, slots=True)
class About:
    """An adapter's row of the table of sources (docs/sources.md), and how its sender is connected.

    Texts are Markdown; `connect` ends with the exact snippet of the vendor's own configuration. `proof` says how the
    vendor proves a message's origin, in the words of the source's setting `proof`.
    """

    identity: str
    firing: str
    resolved: str
    observed: str
    severity: str
    proof: str
    connect: str


class Reply(msgspec.Struct, frozen=True):
    """What a door answers a sender that expects more than a status: Slack's challenge, for one."""

    status: int = 200
    body: bytes = b""
    kind: bytes = b"application/json"


class Handshake(msgspec.Struct, frozen=True):
    """A message that only opens or closes a connection and is no alert: the door answers it and forwards nothing.

    `confirm` is an address that the sender wants asked, if the proof of origin allows its host.
    """

    reply: Reply
    confirm: str = ""


class Adapter(ABC):
    """One vendor's format. Its docstring says what the vendor uses to tell the same alert again, and the source."""

    name: ClassVar[str]
    title: ClassVar[str]
    shape: ClassVar[tuple[str, ...]]
    """Top-level fields of a usual body: what names the nearest adapter of a body that no adapter recognises."""
    about: ClassVar[About]
    headers: ClassVar[tuple[str, ...]] = ()
    """Request headers, in lower case, that the door passes on with a body which does not say all by itself."""
    forms: ClassVar[bool] = False
    """Whether bodies may be HTML forms (`application/x-www-form-urlencoded`) beside JSON."""
    answers: ClassVar[bool] = False
    """Whether people's answers come in the same stream as alerts: the door writes it to `answers.raw` then."""

    greets: ClassVar[bool] = False
    """Whether senders open a connection by a message of its own; the door asks `handshake` of every body then."""
    accepted: ClassVar[Reply | None] = None
    """What this vendor wants to hear where its message was taken; None: 202, as other sources."""

    @abstractmethod
    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """Whether a decoded JSON body is surely of this vendor; used to detect a source that nobody named."""

    @abstractmethod
    def parse(self, message: Message) -> Parsed:
        """The whole body. Raises NotUnderstood where it is not of this form at all."""

    def handshake(self, body: bytes, headers: Mapping[str, str]) -> Handshake | None:
        """The handshake that a proven body is, None for all others. Never raises, whatever the bytes are."""
        del body, headers
        return None

    def glance(self, message: Message) -> Sequence[Glance] | None:
        """The alerts of a body without decoding them, or None where this adapter or body has no such short way."""
        del message
        return None

    def build(self, message: Message, glance: Glance, index: int, parsed: Parsed) -> None:
        """Decode one glance in full and append the alert, or its refusal, to `parsed`."""
        raise NotImplementedError(f"the adapter {self.name} has no short way")  # pragma: no cover


def severity_of(word: str | None, config: SourceConfig, known: Mapping[str, Severity], parsed: Parsed) -> Severity:
    """A vendor's word as a severity: the source's own map first, then the vendor's.

    A missing word is `medium`, an unknown one `high` (never lowered in silence); both are counted as defaults.
    """
    if not word:
        parsed.took_default(Default.SEVERITY_MISSING)
        return Severity.MEDIUM
    found = config.severities.get(word) or known.get(word.strip().lower())
    if found is None:
        parsed.took_default(Default.SEVERITY_UNKNOWN)
        return Severity.HIGH
    return found


def clamp(observed: Millis | None, arrival: Millis, parsed: Parsed) -> Millis:
    """An observed time no later than 5 minutes after arrival; None (unreadable or absent) is the arrival itself."""
    if observed is None:
        return arrival
    if observed > arrival + CLAMP_MS:
        parsed.took_default(Default.TIME_CLAMPED)
        return arrival + CLAMP_MS
    return observed
