"""The alerts of a measurement, as Prometheus sends them: 8 labels, 2 annotations, about 520 bytes each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

SERVICES = ("checkout", "payments", "search", "cart", "auth", "catalogue", "shipping", "invoices")
HORIZON = timedelta(minutes=20)
"""How far ahead `endsAt` stands: longer than any run, so that nothing resolves by its own time."""


def rfc3339(at: datetime) -> str:
    """As Prometheus writes it, in milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def alert(number: int, group: int, starts: str, ends: str) -> bytes:
    """One alert of the group of that number; alerts of different numbers are different alerts."""
    service = SERVICES[group % len(SERVICES)]
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9090"
    return (
        f'{{"labels":{{"alertname":"HighErrorRate","cluster":"eu-{group % 4}","service":"{service}","namespace":"shop"'
        f',"severity":"critical","pod":"{service}-7d9f8b6c5d-{number:07d}","instance":"{address}","group":"g{group}"}}'
        f',"annotations":{{"summary":"Error rate of {service} is above 5 % for 10 minutes",'
        '"description":"More than one in twenty requests has failed since the last deployment; see the dashboard"}'
        f',"startsAt":"{starts}","endsAt":"{ends}"'
        ',"generatorURL":"http://prometheus.example:9090/graph?g0.expr=errors&g0.tab=1"}'
    ).encode()


def bodies(alerts: Iterator[bytes], size: int) -> list[bytes]:
    """JSON lists of `size` alerts each; the last may be shorter."""
    made: list[bytes] = []
    part: list[bytes] = []
    for one in alerts:
        part.append(one)
        if len(part) == size:
            made.append(b"[%b]" % b",".join(part))
            part = []
    if part:
        made.append(b"[%b]" % b",".join(part))
    return made


class Times:
    """`startsAt` and `endsAt` of one run; `endsAt` moves on by a second with every repetition, as a sender's does."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self.starts = rfc3339(self._now)

    def ends(self, repetition: int = 0) -> str:
        """`endsAt` of one repetition."""
        return rfc3339(self._now + HORIZON + timedelta(seconds=repetition))


def repeats(times: Times, distinct: int, first: int, count: int) -> Iterator[bytes]:
    """`count` alerts: the same `distinct` ones over and over, two to a group, from repetition `first` on."""
    for at in range(count):
        number = at % distinct
        yield alert(number, number // 2, times.starts, times.ends(first + at // distinct))


def once(times: Times, first: int, end: int) -> Iterator[bytes]:
    """The different alerts `first` to `end`, two to a group."""
    ends = times.ends()
    for number in range(first, end):
        yield alert(number, number // 2, times.starts, ends)
