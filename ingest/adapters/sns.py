"""What several adapters share of Amazon SNS: its envelope, the records that a Lambda function sees, its handshakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from ingest.adapters.base import Handshake, NotUnderstood, Reply
from ingest.adapters.reading import as_list, as_object, decode, text_at

CONFIRMATION: Final = "SubscriptionConfirmation"
HANDSHAKES: Final = (CONFIRMATION, "UnsubscribeConfirmation")
HEADER: Final = "x-amz-sns-message-type"


class Notice(Struct, frozen=True):
    """One message: its content (None where that is no JSON object), its text, and what the envelope says of it."""

    content: dict[str, Any] | None
    text: str = ""
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
    elif "Message" in body:
        yield _opened(body)
    else:
        yield Notice(body)


def _opened(envelope: dict[str, Any]) -> Notice:
    inner, text = envelope.get("Message"), ""
    if isinstance(inner, str):
        text = inner
        try:
            inner = decode(inner.encode("utf-8", "surrogatepass"))
        except NotUnderstood:
            inner = None
    content = inner if isinstance(inner, dict) else None
    return Notice(content, text, text_at(envelope, "TopicArn"), text_at(envelope, "Subject"), envelope.get("Timestamp"))


def handshake(body: bytes) -> Handshake | None:
    """A subscription that opens (to be confirmed by its address) or ends, None for every other body."""
    try:
        found = as_object(decode(body), "the body")
        kind, url = text_at(found, "Type"), text_at(found, "SubscribeURL")
    except NotUnderstood:
        return None
    if kind == CONFIRMATION:
        return Handshake(Reply(), url)
    # Whoever ends a subscription means it: the same address would open it again.
    return Handshake(Reply()) if kind in HANDSHAKES else None


def handshake_reason(body: dict[str, Any]) -> str:
    """What a handshake is, for a person."""
    topic = text_at(body, "TopicArn")[:300] or "unknown"
    if body["Type"] == CONFIRMATION:
        return (
            f"SNS asks to confirm the subscription of topic {topic}: the door does so where the source's proof is of "
            "the type sns; else open the body's SubscribeURL"
        )
    return f"SNS says that the subscription of topic {topic} has ended"
