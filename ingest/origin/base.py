"""The shape every proof of origin has: a request as it was received in, `Proven` out, or `NotProven` raised.

A prover reads bytes that anybody may have sent. Whatever they are, it raises `NotProven` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from kernel.clock import Millis

Pairs = tuple[tuple[bytes, bytes], ...]


class Request(msgspec.Struct, frozen=True):
    """A request as the door received it.

    `query` is what stands behind the question mark; `headers` have names in lower case, repeated ones joined by
    `b","` in their order; `body` is as it was received, before unpacking: signatures are over those bytes.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[str, bytes]
    body: bytes


class Proven(msgspec.Struct, frozen=True):
    """The origin is proven.

    `replay` names this delivery, the same whenever the very same one comes again ("" where the form has no name);
    `remember` is for how many milliseconds it may come again. `skew` is the clock here minus the sender's in
    milliseconds, travel included, None where the sender states no time.
    """

    replay: str = ""
    remember: Millis = 0
    skew: Millis | None = None


class NotProven(Exception):
    """The request ends here.

    `status` is 401 for missing or bad credentials, 403 for a bad signature or what is not allowed, 400 for what is
    malformed, and 503 where what is needed to judge is away, so that the sender tries again. `reason` is one of
    `REASONS`; `sentence` is for the sender and says nothing of a secret; `headers` go into the answer. `skew` is as
    in `Proven`, known only where the signature was right and its time was not.
    """

    def __init__(
        self, status: int, reason: str, sentence: str, headers: Pairs = (), skew: Millis | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.headers = headers
        self.skew = skew


REASONS = ("unauthorised", "signature", "stale", "malformed", "topic", "certificate", "certificate_away")


class Prover(Protocol):
    """One form of proof with the secrets of one source."""

    async def check(self, request: Request, now: Millis) -> Proven:
        """Raises NotProven; never anything else, whatever the request holds. `now` is the clock at the door."""
        ...
