"""The console channel: one line, once."""

from __future__ import annotations

import pytest

from kernel.config.schema import Console
from kernel.model.delivery import Action, Outcome
from kernel.model.incident import Priority
from notifier.channels.base import Cause, Text
from notifier.channels.console import ConsoleChannel
from tests.channels.examples import delivery


async def test_one_line_for_each_delivery_however_often_it_is_sent() -> None:
    lines: list[str] = []
    target = ConsoleChannel("console", lines.append)
    for _ in range(2):
        for action in Action:
            result = await target.send(delivery(action))
            assert (result.outcome, result.remote_id) == (Outcome.SENT, delivery(action).key.delivery_id)
    assert len(lines) == len(Action)
    assert lines[0] == (
        "2025-11-23T03:53:20Z page P1 s07-abcdefghijklmnop checkout: 5xx at 12 % (3 members, 12 alerts; team payments)"
    )
    await target.send(delivery(reached=Priority.P2))
    assert len(lines) == len(Action) + 1


async def test_a_line_stays_a_line_and_moves_no_cursor() -> None:
    lines: list[str] = []
    text = Text("evil\x1b[2J\x9b31m\r\nsecond\u202eline" + "x" * 5_000, "")
    await ConsoleChannel("console", lines.append).send(delivery(text=text))
    (line,) = lines
    assert len(line) <= 500
    assert line.endswith("…")
    assert not [rune for rune in line if not rune.isprintable()]


async def test_an_output_that_breaks_is_tried_again_and_then_printed() -> None:
    lines: list[str] = []
    broken = [True]

    def write(line: str) -> None:
        if broken.pop() if broken else False:
            raise BrokenPipeError(32, "Broken pipe")
        lines.append(line)

    target = ConsoleChannel("console", write)
    first, second = await target.send(delivery()), await target.send(delivery())
    assert (first.outcome, first.reason) == (Outcome.RETRY, Cause.CONNECTION)
    assert second.outcome is Outcome.SENT
    assert len(lines) == 1


@pytest.mark.parametrize("action", list(Action))
def test_it_supports_every_action(action: Action) -> None:
    assert ConsoleChannel("console", print).supports(action)
    assert Console().per_minute > 0
