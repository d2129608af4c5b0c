"""Business hours, written `Mon-Fri 09:00-18:00` or, with several spans, `Mon-Thu 09:00-18:00, Fri 09:00-16:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo

from kernel.clock import Millis

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Spans of (weekday, first minute, minute after the last); Monday is 0, minutes count from local midnight."""

    spans: tuple[tuple[int, int, int], ...]

    @classmethod
    def parse(cls, text: str) -> BusinessHours:
        """Raises ValueError, saying what would be right. A span ends on the day it starts; `24:00` is midnight."""
        spans: list[tuple[int, int, int]] = []
        for part in text.lower().split(","):
            found = _SPAN.fullmatch(part.strip())
            days = (found["first"], found["last"] or found["first"]) if found else ()
            if found is None or any(day not in _DAYS for day in days):
                raise ValueError(f"{text!r} is not business hours; write them as Mon-Fri 09:00-18:00")
            first, last = (_DAYS.index(day) for day in days)
            start, end = _minutes(found["start"]), _minutes(found["end"])
            if start is None or end is None or start >= end:
                raise ValueError(f"{text!r}: {found['start']}-{found['end']} is no span of a day; write 09:00-18:00")
            spans += [((first + n) % 7, start, end) for n in range((last - first) % 7 + 1)]
        return cls(tuple(spans))

    def contain(self, moment: Millis, zone: tzinfo) -> bool:
        """Whether a moment (milliseconds since the epoch) lies within them, by the clocks of `zone`."""
        local = datetime.fromtimestamp(moment / 1000, tz=zone)
        day, minute = local.weekday(), local.hour * 60 + local.minute
        return any(day == on and start <= minute < end for on, start, end in self.spans)


def _minutes(text: str) -> int | None:
    hours, minutes = int(text[:2]), int(text[3:])
    return hours * 60 + minutes if minutes < 60 and hours * 60 + minutes <= 1_440 else None
