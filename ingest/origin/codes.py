"""HMAC proofs, all of one shape: which bytes a vendor signs, and in which header it writes the code.

Every active secret is tried against every code given, without an early exit and in constant time, over bytes. The
time is judged after the code, so that the skew told is that of a clock whose owner knows the secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from enum import Enum
from typing import Final

import msgspec

from ingest.origin.base import NotProven, Proven, Request
from ingest.origin.times import seconds_or_iso
from kernel.clock import Millis
from kernel.config.proof import Algorithm, Encoding

MAX_CODES: Final = 16
MAX_NAME: Final = 200
_LARGE: Final = 256 * 1024


class Part(Enum):
    """What stands before the body in the bytes that are signed, as the headers say it."""

    NAME = "name"
    TIME = "time"


class Scheme(msgspec.Struct, frozen=True):
    """One vendor's way to sign.

    `header` holds the code, or several apart by `apart`, each behind `prefix`. Signed are the parts of `lead`, then
    the body. `time_header` holds the time of signing, `name_header` the name of the delivery. All headers are in
    lower case; "" where a vendor has none.
    """

    header: str
    prefix: bytes = b""
    apart: bytes = b""
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    lead: tuple[bytes | Part, ...] = ()
    time_header: str = ""
    name_header: str = ""

    @property
    def needed(self) -> tuple[str, ...]:
        """The headers without which nothing can be judged."""
        named = (self.name_header,) if Part.NAME in self.lead else ()
        return (self.header, *((self.time_header,) if self.time_header else ()), *named)


class Codes:
    """A scheme with the keys of one source.

    `window` is how far the time may be off, `remember` how long a name may come again, both in milliseconds.
    """

    def __init__(
        self, source: str, scheme: Scheme, keys: Sequence[bytes], window: Millis = 0, remember: Millis = 0
    ) -> None:
        self._source = source
        self._scheme = scheme
        self._keys = tuple(keys)
        self._window = window
        self._remember = remember

    async def check(self, request: Request, now: Millis) -> Proven:
        """As `Prover`: 401 without the headers, 400 for unreadable ones, 403 for a wrong code or an old time."""
        scheme, headers = self._scheme, request.headers
        missing = [name for name in scheme.needed if not headers.get(name)]
        if missing:
            raise self._missing(missing)
        codes = self._given(headers[scheme.header])
        name = self._name(headers.get(scheme.name_header, b"")) if scheme.name_header else b""
        time = headers.get(scheme.time_header, b"").strip()
        lead = b"".join(
            part if isinstance(part, bytes) else name if part is Part.NAME else time for part in scheme.lead
        )
        if not match(codes, await self._wanted(lead, request.body)):
            raise NotProven(
                403,
                "signature",
                f"the signature in {scheme.header} is not one of source {self._source!r} over this body",
            )
        skew = self._skew(time, now) if scheme.time_header else None
        return self._proven(name, lead, request.body, skew)

    def _missing(self, names: Sequence[str]) -> NotProven:
        challenge = f'Signature realm="stormfold", headers="{" ".join(self._scheme.needed)}"'
        sentence = f"source {self._source!r} asks for a signature; this request lacks {', '.join(names)}"
        return NotProven(401, "unauthorised", sentence, ((b"www-authenticate", challenge.encode()),))

    def _given(self, value: bytes) -> list[bytes]:
        """The codes of a header, without their prefix; those of other versions are left out."""
        scheme = self._scheme
        parts = value.split(scheme.apart) if scheme.apart else [value]
        if len(parts) > MAX_CODES:
            raise NotProven(400, "malformed", f"{scheme.header} holds more than {MAX_CODES} signatures")
        stripped = [part.strip() for part in parts]
        codes = [part[len(scheme.prefix) :] for part in stripped if part.startswith(scheme.prefix)]
        return [code.lower() for code in codes] if scheme.encoding is Encoding.HEX else codes

    def _name(self, value: bytes) -> bytes:
        name = value.strip()
        if len(name) > MAX_NAME or any(not 0x21 <= letter <= 0x7E for letter in name):
            sentence = f"{self._scheme.name_header} must be at most {MAX_NAME} printable letters of ASCII, no spaces"
            raise NotProven(400, "malformed", sentence)
        return name

    async def _wanted(self, lead: bytes, body: bytes) -> list[bytes]:
        """The codes of all keys as the header would have them."""
        if len(body) > _LARGE:
            return await asyncio.to_thread(self._signed, lead, body)
        return self._signed(lead, body)

    def _signed(self, lead: bytes, body: bytes) -> list[bytes]:
        made = []
        for key in self._keys:
            code = hmac.new(key, lead, self._scheme.algorithm.value)
            code.update(body)
            digest = code.digest()
            in_hex = self._scheme.encoding is Encoding.HEX
            made.append(digest.hex().encode("ascii") if in_hex else base64.b64encode(digest))
        return made

    def _skew(self, text: bytes, now: Millis) -> Millis:
        stated = seconds_or_iso(text)
        if stated is None:
            sentence = f"{self._scheme.time_header} is no time; send seconds since the epoch, or RFC 3339 with its zone"
            raise NotProven(400, "malformed", sentence)
        skew = now - stated
        if abs(skew) > self._window:
            raise stale(self._scheme.time_header, skew, self._window)
        return skew

    def _proven(self, name: bytes, lead: bytes, body: bytes, skew: Millis | None) -> Proven:
        """What names the delivery: a signed name; else what is signed, where it holds a time; else name and body.

        A name that is not signed can be changed by whoever sends a captured body again, so the body names it too.
        """
        scheme = self._scheme
        if Part.NAME in scheme.lead:
            return Proven(name.decode("ascii"), self._remember, skew)
        if not scheme.name_header and not scheme.time_header:
            return Proven(skew=skew)
        content = hashlib.blake2b(lead, digest_size=16)
        content.update(body)
        if scheme.time_header:
            return Proven(content.hexdigest(), 2 * self._window, skew)
        return Proven(f"{name.decode('ascii')} {content.hexdigest()}".strip(), self._remember, skew)


def match(given: Sequence[bytes], wanted: Sequence[bytes]) -> bool:
    """Whether any of the one is any of the other; all are compared, each in constant time."""
    found = False
    for one in wanted:
        for other in given:
            found |= hmac.compare_digest(one, other)
    return found


def stale(where: str, skew: Millis, window: Millis) -> NotProven:
    """The refusal of a time too far from ours (`skew` and `window` in milliseconds)."""
    direction = "old" if skew > 0 else "ahead"
    sentence = (
        f"the time in {where} is {abs(skew) // 1000} s {direction}, {window // 1000} s are allowed;"
        " compare the clocks of both sides"
    )
    return NotProven(403, "stale", sentence, skew=skew)
