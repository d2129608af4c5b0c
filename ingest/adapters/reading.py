"""What all adapters read with: strict decoding, times, clean text. Raises NotUnderstood and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from ingest.adapters.base import (
    Default,
    NotUnderstood,
    Parsed,
    Reason,
)
from kernel.clock import Millis
from kernel.model.alert import Link

NAME_BYTES: Final = 4 * 1024
SUMMARY_BYTES: Final = 4 * 1024
LABEL_BYTES: Final = 4 * 1024
DESCRIPTION_BYTES: Final = 16 * 1024
LABELS_BYTES: Final = 64 * 1024
LINK_BYTES: Final = 2 * 1024
MAX_LINKS: Final = 8

ABSENT: Final = 0
UNREADABLE: Final = -1
EARLIEST: Final = 946_684_800_000
"""The year 2000. An earlier moment is a vendor's way to say that there is none."""
_LATEST: Final = 4_102_444_800_000
_SHORT_LABELS: Final = 1024
"""Characters of all labels together that cannot pass any limit in bytes, whatever they are."""
_MAX_TIME_TEXT: Final = 48
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SEPARATORS = "\u2028\u2029"
_BIDI = "\u202a-\u202e\u2066-\u2069"
# A right-to-left override or a lone surrogate is no more a letter than a bell is.
_CONTROL: Final = re.compile(f"[\x00-\x1f\x7f-\x9f{_SEPARATORS}{_BIDI}\ud800-\udfff]")
_CONTROL_BUT_LINES: Final = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_SEPARATORS}{_BIDI}\ud800-\udfff]")

_anything: Final = msgspec.json.Decoder()
_TYPES: Final = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def kind_of(value: Any) -> str:
    """A JSON value's type in the words of a sentence: `an object`, `a list`, `text`, `a number`."""
    return _TYPES.get(type(value), "a number")


def decode(body: bytes) -> Any:
    """Any JSON value. Raises NotUnderstood (`invalid_json`, `bad_encoding`, or `wrong_type` where nested too deep)."""
    return decode_as(_anything, body, "the body")


def decode_as(decoder: msgspec.json.Decoder[Any], data: bytes | msgspec.Raw, what: str) -> Any:
    """`decoder.decode`, with every complaint as NotUnderstood; `what` begins the sentence."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what} has a field of the wrong type: {error}") from error
    except msgspec.DecodeError as error:
        raise NotUnderstood(Reason.INVALID_JSON, f"{what} is not valid JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise NotUnderstood(Reason.BAD_ENCODING, f"{what} is not UTF-8 (at its byte {error.start})") from error
    except RecursionError as error:
        raise NotUnderstood(Reason.INVALID_JSON, f"{what} is nested too deep to be read") from error


def as_object(value: Any, what: str) -> dict[str, Any]:
    """The value, if it is an object; else `wrong_type`."""
    if not isinstance(value, dict):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what} must be an object, got {kind_of(value)}")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """The value, if it is a list; else `wrong_type`."""
    if not isinstance(value, list):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what} must be a list, got {kind_of(value)}")
    return value


def text_at(value: Mapping[str, Any], key: str, what: str = "") -> str:
    """The text at a key, empty where it is absent or null; any other type is refused."""
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what or key} must be text, got {kind_of(found)}")
    return found


def texts_at(value: Mapping[str, Any], key: str, *, loose: bool = False) -> dict[str, str]:
    """The object of texts at a key, empty where it is absent or null.

    `loose` writes numbers and booleans as text and leaves nulls out, for vendors that are known to send them.
    """
    found = value.get(key)
    if found is None:
        return {}
    pairs = as_object(found, key)
    texts: dict[str, str] = {}
    for name, item in pairs.items():
        if isinstance(item, str):
            texts[name] = item
        elif loose and isinstance(item, bool | int | float):
            texts[name] = scalar(item)
        elif not (loose and item is None):
            raise NotUnderstood(Reason.WRONG_TYPE, f"{key}.{name[:80]} must be text, got {kind_of(item)}")
    return texts


def scalar(value: bool | int | float) -> str:
    """A JSON number or boolean as JSON writes it; an integer of absurd length is refused."""
    if isinstance(value, int) and value.bit_length() > 256:
        raise NotUnderstood(Reason.WRONG_TYPE, "a number has more than 77 digits")
    return msgspec.json.encode(value).decode() if isinstance(value, bool | float) else str(value)


@lru_cache(maxsize=8192)
def _moment(text: str) -> Millis:
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            return UNREADABLE
        ms = (when - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return UNREADABLE
    if when.year == 1 or ms == 0:
        return ABSENT
    return ms if EARLIEST <= ms <= _LATEST else UNREADABLE


def moment(text: str) -> Millis:
    """An RFC 3339 time as milliseconds.

    `ABSENT` for no text and for the zero times of Go and Unix; `UNREADABLE` for anything that is no time with an
    offset between the years 2000 and 2100. Cached, because a sender writes one time into many alerts.
    """
    if not text:
        return ABSENT
    return _moment(text) if len(text) <= _MAX_TIME_TEXT else UNREADABLE


def time_or_none(ms: Millis, parsed: Parsed) -> Millis | None:
    """What `moment` or `epoch` said as a time or None; an unreadable one is counted."""
    if ms == UNREADABLE:
        parsed.took_default(Default.TIME_UNREADABLE)
    return ms if ms > 0 else None


def epoch(value: float) -> Millis:
    """A Unix time in seconds, milliseconds, microseconds or nanoseconds (told by its size) as milliseconds."""
    if value == 0:
        return ABSENT
    if not 0 < value < 1e19:
        return UNREADABLE
    ms = float(value) * 1000 if value < 1e11 else float(value)
    while ms > _LATEST:
        ms /= 1000
    whole = value if isinstance(value, int) and ms == value else round(ms)
    return whole if EARLIEST <= whole <= _LATEST else UNREADABLE


def time_of(value: Any, what: str, *, digits: bool = False) -> Millis:
    """RFC 3339 text or a Unix number (`digits`: also as text) as milliseconds; other types are refused."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        text = value.strip()
        if digits and text.isascii() and text.isdigit() and len(text) <= 20:
            return epoch(int(text))
        return moment(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUnderstood(Reason.WRONG_TYPE, f"{what} must be a time (RFC 3339 or Unix), got {kind_of(value)}")
    return epoch(value)


def clean_text(text: str, limit: int, parsed: Parsed, *, lines: bool = False) -> str:
    """Text without control characters (each becomes a space) and no longer than `limit` bytes, cut with `…`."""
    if len(text) * 4 <= limit and text.isprintable():
        return text
    text, found = (_CONTROL_BUT_LINES if lines else _CONTROL).subn(" ", text)
    if found:
        parsed.took_default(Default.CONTROL_CHARACTERS, found)
    if len(text) * 4 > limit:
        raw = text.encode()
        if len(raw) > limit:
            parsed.took_default(Default.TRUNCATED)
            text = raw[: limit - 3].decode(errors="ignore") + "…"
    return text


def clean_labels(labels: Mapping[str, str], parsed: Parsed) -> dict[str, str]:
    """Labels that are fit to be shown; those without a value go, those past 64 KiB in all are left off."""
    everything = "".join((*labels, *labels.values()))
    if len(everything) <= _SHORT_LABELS and everything.isprintable():
        return {name: value for name, value in labels.items() if value and name}
    clean: dict[str, str] = {}
    room = LABELS_BYTES
    for name, value in labels.items():
        if not value or not name:
            continue
        key, text = clean_text(name, NAME_BYTES, parsed), clean_text(value, LABEL_BYTES, parsed)
        room -= len(key.encode()) + len(text.encode())
        if room < 0:
            parsed.took_default(Default.TRUNCATED)
            break
        clean[key] = text
    return clean


def clean_links(links: Iterable[tuple[str, str]], parsed: Parsed) -> tuple[Link, ...]:
    """Web addresses only, each once, eight at most; one that is too long to keep whole is of no use and goes."""
    seen: dict[str, Link] = {}
    for text, href in links:
        if not href:
            continue
        address = href.strip()
        usable = address.startswith(("https://", "http://")) and not _CONTROL.search(address) and " " not in address
        if usable and address not in seen and len(seen) < MAX_LINKS:
            if len(address.encode()) > LINK_BYTES:
                parsed.took_default(Default.TRUNCATED)
                continue
            seen[address] = Link(clean_text(text, 80, parsed), address)
    return tuple(seen.values())
