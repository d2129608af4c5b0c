"""Bodies that the gateway packed, or that a sender put on Kafka packed: gzip, under a bound."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from ingest.adapters.base import NotUnderstood, Reason

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a body when unpacked; no door takes more."""
_GZIP: Final = 16 + zlib.MAX_WBITS


def unpack(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as its sender meant it; `content-encoding` (lower-case key) may be absent, `identity` or `gzip`.

    Raises NotUnderstood: `too_large` over 4 MiB unpacked, `bad_encoding` for other encodings and broken gzip.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body)
    if encoding not in ("", "identity"):
        raise NotUnderstood(
            Reason.BAD_ENCODING, f"content-encoding {encoding[:40]!r} is not understood; send gzip or none"
        )
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


def _too_large() -> NotUnderstood:
    return NotUnderstood(
        Reason.TOO_LARGE, f"the body is over {MAX_BODY} bytes when unpacked; send fewer alerts at once"
    )


def _gunzip(body: bytes) -> bytes:
    parts: list[bytes] = []
    room, rest = MAX_BODY + 1, body
    try:
        # gzip may be several members one after the other; each is unpacked under what room is left.
        while rest:
            unpacker = zlib.decompressobj(_GZIP)
            part = unpacker.decompress(rest, room)
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise _too_large()
            if not unpacker.eof:
                raise NotUnderstood(Reason.BAD_ENCODING, "the gzip body ends in the middle")
            rest = unpacker.unused_data
    except zlib.error as error:
        raise NotUnderstood(
            Reason.BAD_ENCODING, f"the body is not gzip, as its content-encoding says: {error}"
        ) from error
    if not parts:
        raise NotUnderstood(Reason.BAD_ENCODING, "the body is empty, which is not gzip, as its content-encoding says")
    return b"".join(parts)
