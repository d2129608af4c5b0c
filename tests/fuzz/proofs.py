"""Targets of the proofs of origin: every form, begun with a request that it accepts."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator

from ingest.origin.base import NotProven, Request
from tests.fuzz.structure import joined, split
from tests.fuzz.target import Target
from tests.unit.origin.amazon import encoded, message
from tests.unit.origin.requests import NOW
from tests.unit.origin.test_codes import BODY, CASES
from tests.unit.origin.test_hostile import PROVERS, proper

_STATUSES = (400, 401, 403)
_here = threading.local()


def _wait(name: str, request: Request) -> None:
    # A loop for every request would cost more than all that is judged in it; two targets are hunted at once.
    loop: asyncio.AbstractEventLoop | None = getattr(_here, "loop", None)
    if loop is None:
        loop = _here.loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(PROVERS[name].check(request, NOW))
    except NotProven as error:
        proper(error, (*_STATUSES, 503) if name == "sns" else _STATUSES)


def _seeds(name: str) -> tuple[bytes, ...]:
    if name in CASES:
        return (joined(list(CASES[name].headers.items()), BODY),)
    if name == "sns":
        kinds = ("Notification", "SubscriptionConfirmation")
        return tuple(encoded(message(kind, version)) for kind in kinds for version in ("1", "2"))
    return (joined([("authorization", "Bearer x"), ("x-key", "key x")], BODY),)


def targets() -> Iterator[Target]:
    """One a form."""
    for name in PROVERS:

        def run(data: bytes, name: str = name) -> None:
            headers, body = split(data)
            _wait(name, Request("POST", "/v1/sources/s", b"", headers, body))

        yield Target(f"proof.{re.sub('[^a-z0-9]+', '-', name)}", run, _seeds(name))
