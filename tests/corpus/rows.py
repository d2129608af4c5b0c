"""What a row of the tables of real payloads says; one table a folder of payloads in `tables/`.

Expectations are written from the provenance notes beside the payloads, never read off the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Seen(NamedTuple):
    """One alert of a payload; `starts` and `ends` are RFC 3339 in UTC, None where the payload tells none."""

    identity: Mapping[str, str]
    name: str
    status: str
    severity: str
    service: str | None = None
    starts: str | None = None
    ends: str | None = None


class Changed(NamedTuple):
    """One change of a payload; `when` as `starts` of an alert, None for the arrival."""

    identity: Mapping[str, str]
    what: str
    name: str
    outcome: str
    service: str | None = None
    where: str | None = None
    who: str | None = None
    when: str | None = None
    revision: str | None = None
    link: str | None = None


class Row(NamedTuple):
    """One payload: the source that reads it, the outcome, and what is in it or what the reason says.

    `later` marks what a later version should understand; its reason says so. `detected` is what `auto` makes of it
    where that is another source than `source` (`auto` itself: no source is sure of it). `headers` came with it.
    """

    file: str
    source: str
    outcome: str
    alerts: tuple[Seen, ...] = ()
    says: str = ""
    later: bool = False
    changes: tuple[Changed, ...] = ()
    detected: str | None = None
    headers: Mapping[str, str] = {}


class Table(NamedTuple):
    """All rows of one folder of payloads, and its pairs of files: firing and resolved of one alert.

    `mapped` says that the source is no adapter but a mapping that ships in `deploy/mappings`.
    """

    folder: str
    rows: tuple[Row, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    mapped: bool = False


def labels(text: str) -> dict[str, str]:
    """`a=b|c=d` as labels."""
    return dict(pair.split("=", 1) for pair in text.split("|"))
