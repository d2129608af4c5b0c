"""Secrets that are shown: a bearer token, a basic password, or a header."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from ingest.origin.base import NotProven, Pairs, Proven, Request
from ingest.origin.codes import match
from kernel.clock import Millis

_CHALLENGE: Final[Pairs] = (
    (b"www-authenticate", b'Bearer realm="stormfold"'),
    (b"www-authenticate", b'Basic realm="stormfold", charset="UTF-8"'),
)
_PROVEN: Final = Proven()


class Token:
    """A bearer token, or the password of basic authentication with any user."""

    def __init__(self, source: str, secrets: Sequence[bytes]) -> None:
        self._source = source
        self._secrets = tuple(secrets)

    async def check(self, request: Request, now: Millis) -> Proven:
        """As `Prover`: 401 for anything but the token."""
        del now
        if not match([_credentials(request.headers.get("authorization", b""))], self._secrets):
            sentence = (
                f"source {self._source!r} asks for its token, as bearer or as the password of basic authentication"
            )
            raise NotProven(401, "unauthorised", sentence, _CHALLENGE)
        return _PROVEN


def _credentials(given: bytes) -> bytes:
    scheme, _, credentials = given.strip().partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() == b"bearer":
        return credentials
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


class SecretHeader:
    """A secret in a header of its own, behind a prefix where there is one."""

    def __init__(self, source: str, header: str, prefix: bytes, secrets: Sequence[bytes]) -> None:
        self._source = source
        self._header = header
        self._wanted = tuple(prefix + secret for secret in secrets)

    async def check(self, request: Request, now: Millis) -> Proven:
        """As `Prover`: 401 for anything but the secret."""
        del now
        if not match([request.headers.get(self._header, b"").strip()], self._wanted):
            sentence = f"source {self._source!r} asks for its secret in the header {self._header}"
            challenge = f'Header realm="stormfold", name="{self._header}"'
            raise NotProven(401, "unauthorised", sentence, ((b"www-authenticate", challenge.encode()),))
        return _PROVEN


class Elsewhere:
    """A source that is told by a routing key: it has the drop-in doors and none of its own."""

    def __init__(self, source: str) -> None:
        self._source = source

    async def check(self, request: Request, now: Millis) -> Proven:
        """As `Prover`: 403 always."""
        del request, now
        sentence = f"source {self._source!r} has routing keys: send to /v2/enqueue (PagerDuty) or /v2/alerts (Opsgenie)"
        raise NotProven(403, "unauthorised", sentence)
