"""Business hours."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kernel.config.hours import BusinessHours

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2025-11-24T09:00", True),  # a Monday
        ("2025-11-24T08:59:59", False),
        ("2025-11-28T17:59", True),
        ("2025-11-28T18:00", False),
        ("2025-11-29T12:00", False),
        ("2025-07-07T09:00", True),  # summer time
    ],
)
def test_a_week(moment: str, inside: bool) -> None:
    assert BusinessHours.parse("Mon-Fri 09:00-18:00").contain(at(moment), BERLIN) is inside


def test_the_zone_decides() -> None:
    hours = BusinessHours.parse("Mon-Fri 09:00-18:00")
    moment = at("2025-11-24T09:30")
    assert hours.contain(moment, BERLIN)
    assert not hours.contain(moment, ZoneInfo("America/New_York"))


def test_several_spans_and_a_week_that_turns_over() -> None:
    hours = BusinessHours.parse("Sat-Mon 00:00-24:00, Fri 09:00-16:00")
    inside = [n for n in range(24, 31) if hours.contain(at(f"2025-11-{n}T15:30"), BERLIN)]
    assert inside == [24, 28, 29, 30]


@pytest.mark.parametrize(
    "text",
    ["", "always", "Mon-Fri", "9-18", "Mon-Fry 09:00-18:00", "Mon 18:00-09:00", "Mon 09:00-24:01", "Mon 09:60-10:00"],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="; write"):
        BusinessHours.parse(text)
