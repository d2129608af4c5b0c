"""What several adapters share of Amazon SNS: the envelope over HTTP, and the records that a Lambda function sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from ingest.adapters.base import NotUnderstood
from ingest.adapters.reading import as_list, as_object, decode, text_at


class Notice(Struct, frozen=True):
    """One message: its content (None where that is no JSON object), and what the envelope says of it."""

    content: dict[str, Any] | None
    topic: str = ""
    subject: str = ""
    sent: Any = None


def notices(body: dict[str, Any]) -> Iterator[Notice]:
    """Every message in a body: of the records, of the envelope, or the body itself where it is in no envelope.

    Raises NotUnderstood where records are no records.
    """
    if "Records" in body:
        for record in as_list(body["Records"], "Records"):
            yield _opened(as_object(as_object(record, "Records").get("Sns"), "Records.Sns"))
    elif "TopicArn" in body and "Message" in body:
        yield _opened(body)
    else:
        yield Notice(body)


def _opened(envelope: dict[str, Any]) -> Notice:
    inner = envelope.get("Message")
    if isinstance(inner, str):
        try:
            inner = decode(inner.encode("utf-8", "surrogatepass"))
        except NotUnderstood:
            inner = None
    content = inner if isinstance(inner, dict) else None
    return Notice(content, text_at(envelope, "TopicArn"), text_at(envelope, "Subject"), envelope.get("Timestamp"))
