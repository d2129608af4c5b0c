"""A JSON object with fields put in or left out; what is not touched stays as it was, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import orjson

from ingest.gateway.replies import Refused

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_fields(body: bytes, added: Mapping[str, str], without: Iterable[str] = ()) -> bytes:
    """The object with these texts as fields, and without those; numbers keep their digits, texts their escapes.

    Raises Refused where it is nested deeper than is worth reading.
    """
    try:
        fields = _fields.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Refused(400, "not_json", "the body is nested too deep to be read") from None
    for name in without:
        fields.pop(name, None)
    fields.update((name, msgspec.Raw(orjson.dumps(value))) for name, value in added.items())
    return msgspec.json.encode(fields)
