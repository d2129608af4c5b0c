"""SNS messages signed with keys of our own, and certificates for them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kernel.clock import rfc3339
from tests.unit.origin.requests import NOW

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
SUBSCRIBE = f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f"


@cache
def key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def certificate(private: Any = None, begins: int = NOW - 86_400_000, days: int = 30) -> bytes:
    """A certificate in PEM."""
    private = private or key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime.fromtimestamp(begins / 1000, tz=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, start, start + timedelta(days=days))
    return builder.sign(key(), SHA256()).public_bytes(Encoding.PEM)


def message(kind: str = "Notification", version: str = "1", at: int = NOW, **changes: Any) -> dict[str, Any]:
    """A signed envelope; `changes` are made before it is signed."""
    body: dict[str, Any] = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": '{"AlarmName": "cpu", "NewStateValue": "ALARM"}',
        "Timestamp": rfc3339(at),
        "SignatureVersion": version,
        "SigningCertURL": URL,
    }
    if kind == "Notification":
        body["UnsubscribeURL"] = "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe"
    else:
        body |= {"Token": "2336412f", "SubscribeURL": SUBSCRIBE}
    body |= changes
    return body | {"Signature": sign(body)}


def sign(body: Mapping[str, Any]) -> str:
    """As the developer guide says: the fields in the order of their names, each a line of its own."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    names.remove("Subject" if body["Type"] != "Notification" else "SubscribeURL")
    text = "".join(f"{name}\n{body[name]}\n" for name in names if body.get(name) is not None)
    algorithm = SHA1() if body["SignatureVersion"] == "1" else SHA256()
    return base64.b64encode(key().sign(text.encode(), PKCS1v15(), algorithm)).decode()


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body of the request."""
    return orjson.dumps(body)


class Amazon:
    """What the certificates' client would fetch; counts how often."""

    def __init__(self, answers: Mapping[str, tuple[int, bytes] | Exception] | None = None) -> None:
        self.answers = dict(answers or {URL: (200, certificate())})
        self.asked: list[str] = []

    async def ask(self, url: str) -> tuple[int, bytes]:
        """The answer set for an address, 404 for others."""
        self.asked.append(url)
        answer = self.answers.get(url, (404, b""))
        if isinstance(answer, Exception):
            raise answer
        return answer
