"""What a door checks of a body before Kafka: that it is JSON, and that it fits a record. The bytes go on unchanged."""

from __future__ import annotations

import gzip
import zlib

import orjson

MAX_BODY = 4 * 1024 * 1024
_GZIP = 31  # zlib's window bits for one gzip member


class NotJson(ValueError):
    """The body is not JSON; the message says where."""


class NotGzip(ValueError):
    """The body is not what its content-encoding says."""


class UnpacksTooLarge(ValueError):
    """A packed body holds more than `MAX_BODY` bytes."""


def check_json(body: bytes) -> None:
    """Raises NotJson with line and column (both from 1). What was parsed is thrown away."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(_where(body, error)) from None


def _where(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return "the body is empty, JSON was expected"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as bad:
        line = body.count(b"\n", 0, bad.start) + 1
        start = body.rfind(b"\n", 0, bad.start) + 1
        column = len(body[start : bad.start].decode("utf-8")) + 1
        return f"not JSON: byte 0x{body[bad.start]:02x} is not UTF-8: line {line} column {column}"
    return f"not JSON: {error.msg}: line {error.lineno} column {error.colno}"


def pack(body: bytes) -> bytes:
    """The body as one gzip member, the same bytes each time. Takes milliseconds a MiB: never on the event loop."""
    return gzip.compress(body, compresslevel=6, mtime=0)


def unpack(body: bytes) -> bytes:
    """The content of one gzip member, at most `MAX_BODY` bytes. Never on the event loop.

    Raises NotGzip, or UnpacksTooLarge before more than that was unpacked.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise NotGzip(f"the body is not gzip as its content-encoding says: {error}") from None
    if len(content) > MAX_BODY:
        raise UnpacksTooLarge(f"the body unpacks to more than {MAX_BODY} bytes")
    if not stream.eof:
        raise NotGzip("the gzip body ends too early")
    if stream.unused_data:
        raise NotGzip("bytes follow the end of the gzip body; send one gzip member")
    return content
