"""Amazon SNS: messages signed with Amazon's RSA key, in signature versions 1 (SHA-1) and 2 (SHA-256).

Source: the SNS developer guide, "Verifying the signatures of Amazon SNS messages". The certificate's address is part
of the message, so it is believed only where it lies at SNS itself in the region of a topic that the configuration
names. What is signed includes type, topic, time and id; a body that is no SNS envelope (raw message delivery) is
not signed at all and is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from ingest.origin.base import NotProven, Proven, Request
from ingest.origin.certificates import CertificateAway, CertificateRefused, Certificates
from ingest.origin.codes import MAX_NAME, stale
from ingest.origin.times import seconds_or_iso
from kernel.clock import Millis
from kernel.config.proof import TOPIC

_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_HASHES: Final = {"1": SHA1, "2": SHA256}
_RETRY: Final = ((b"retry-after", b"20"),)


class Sns:
    """Messages of the topics that the configuration names, not older than `window` milliseconds."""

    def __init__(self, source: str, topics: Collection[str], window: Millis, certificates: Certificates) -> None:
        self._source = source
        self._topics = frozenset(topics)
        self._window = window
        self._certificates = certificates

    async def check(self, request: Request, now: Millis) -> Proven:
        """As `Prover`; 503 while Amazon's certificate cannot be fetched (SNS tries again after a 5xx alone)."""
        envelope = _envelope(request.body)
        kind, topic = _text(envelope, "Type"), _text(envelope, "TopicArn")
        names = _SIGNED.get(kind)
        if names is None:
            raise NotProven(400, "malformed", f"Type is {kind[:60]!r}; SNS sends {', '.join(_SIGNED)}")
        arn = TOPIC.fullmatch(topic)
        if arn is None or topic not in self._topics:
            sentence = f"the topic {topic[:300]!r} is not among the `topics` of source {self._source!r}"
            raise NotProven(403, "topic", sentence)
        signed = _signed(envelope, names)
        stated = seconds_or_iso(_text(envelope, "Timestamp").encode())
        if stated is None:
            raise NotProven(400, "malformed", "Timestamp is no time; SNS sends RFC 3339")
        algorithm = _HASHES.get(_text(envelope, "SignatureVersion"))
        if algorithm is None:
            raise NotProven(400, "malformed", "SignatureVersion must be 1 or 2")
        signature = _signature(_text(envelope, "Signature"))
        key = await self._key(_text(envelope, "SigningCertURL"), arn[2], now)
        try:
            key.verify(signature, signed, PKCS1v15(), algorithm())
        except InvalidSignature:
            raise NotProven(403, "signature", "the signature is not Amazon's over this message") from None
        except UnsupportedAlgorithm:
            sentence = "SHA-1 cannot be verified here; set the topic's SignatureVersion to 2"
            raise NotProven(403, "signature", sentence) from None
        skew = now - stated
        if abs(skew) > self._window:
            raise stale("Timestamp", skew, self._window)
        name = _text(envelope, "MessageId")
        if len(name) > MAX_NAME or not name.isascii() or not name.isprintable() or " " in name:
            raise NotProven(400, "malformed", f"MessageId must be at most {MAX_NAME} printable letters of ASCII")
        return Proven(name, 2 * self._window, skew)

    async def _key(self, url: str, region: str, now: Millis) -> RSAPublicKey:
        try:
            return await self._certificates.key(url, region, now)
        except CertificateRefused as error:
            raise NotProven(403, "certificate", str(error)) from None
        except CertificateAway as error:
            raise NotProven(503, "certificate_away", f"try again: {error}", _RETRY) from None


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        envelope = None
    if not isinstance(envelope, dict) or "Type" not in envelope:
        sentence = "the body is no message of SNS in JSON; raw message delivery is not signed, so it must be off"
        raise NotProven(400, "malformed", sentence)
    return envelope


def _text(envelope: dict[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str):
        raise NotProven(400, "malformed", f"{name} must be a text")
    return value


def _signed(envelope: dict[str, Any], names: tuple[str, ...]) -> bytes:
    """Name and value of each signed field, each followed by a line feed; `Subject` only where the message has one."""
    lines = []
    for name in names:
        if name == "Subject" and envelope.get(name) is None:
            continue
        lines += [name, _text(envelope, name)]
    return "".join(f"{line}\n" for line in lines).encode()


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotProven(400, "malformed", "Signature is not base64") from None
