"""What came to a webhook receiver, as stormfold's receiver would read it, before anything is dropped as a repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.servers.receiver import Received, Receiver


def kind(request: Received) -> str:
    """`page`, `update`, `acknowledge` or `resolve`."""
    return str(request.json()["type"]).rsplit(".", 2)[1]


def data(request: Received) -> dict[str, Any]:
    """The incident as the receiver sees it."""
    found: dict[str, Any] = request.json()["data"]
    return found


def of(requests: Iterable[Received], service: str) -> list[Received]:
    """Those about one service's incidents."""
    return [request for request in requests if data(request)["group"].get("service") == service]


def kinds(requests: Iterable[Received]) -> list[str]:
    """The kinds in the order of arrival, repeats included."""
    return [kind(request) for request in requests]


def copies(requests: Iterable[Received]) -> Counter[str]:
    """How often each delivery id came."""
    return Counter(request.headers["webhook-id"] for request in requests)


async def wait_kinds(
    receiver: Receiver, service: str, wanted: Sequence[str], deadline_s: float = 60.0
) -> list[Received]:
    """Wait until a service's incidents have had at least these deliveries, in any order."""
    want = Counter(wanted)
    found = await receiver.wait_for(lambda received: not want - Counter(kinds(of(received, service))), deadline_s)
    return of(found, service)
