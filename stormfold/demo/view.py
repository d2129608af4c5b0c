"""What the demo shows: numbers while the storm runs, live on a terminal, plain lines elsewhere, then incidents."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from kernel.context import Context
from kernel.telemetry.metrics import PASSED, SUPPRESSED
from stormfold.demo.player import Player, outcomes
from stormfold.demo.receiver import Receiver
from stormfold.demo.totals import Told, Totals, notes, page_waits, pages_sent, percentile

EVERY = 0.25
LINES_EVERY = 1.0


@dataclass(frozen=True)
class Numbers:
    """One look at the run."""

    raw: int
    suppressed: int
    transitions: int
    dead: int
    incidents: int
    pages: int
    per_second: float
    p50: int | None
    p99: int | None


class View:
    """Shows a run on a console."""

    def __init__(self, console: Console, context: Context, player: Player, receiver: Receiver) -> None:
        self._console = console
        self._context = context
        self._player = player
        self._receiver = receiver

    async def look(self) -> Numbers:
        """The numbers now."""
        by, player = outcomes(self._context), self._player
        docs = await notes(self._context)
        waits = page_waits(docs, self._receiver)
        seconds = self._context.clock.monotonic() - player.first_send if player.first_send else 0.0
        return Numbers(
            player.raw,
            sum(by.get(outcome, 0) for outcome in SUPPRESSED),
            sum(by.get(outcome, 0) for outcome in PASSED),
            by.get("dead", 0),
            len(docs),
            pages_sent(self._context),
            player.accepted / seconds if seconds > 0 else 0.0,
            percentile(waits, 50),
            percentile(waits, 99),
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Show the numbers while the body runs."""
        if not self._console.is_terminal:
            task = asyncio.create_task(self._lines())
            try:
                yield
            finally:
                await _ended(task)
            return
        with Live(_table(await self.look()), console=self._console, auto_refresh=False) as live:
            task = asyncio.create_task(self._refresh(live))
            try:
                yield
            finally:
                await _ended(task)
            live.update(_table(await self.look()), refresh=True)

    async def _refresh(self, live: Live) -> None:
        while True:
            live.update(_table(await self.look()), refresh=True)
            await asyncio.sleep(EVERY)

    async def _lines(self) -> None:
        while True:
            self._console.print(_line(await self.look()), highlight=False, soft_wrap=True)
            await asyncio.sleep(LINES_EVERY)

    def incidents(self, found: Sequence[Told], totals: Totals) -> None:
        """The incidents as a table, those that paged first; the quiet ones are counted below."""
        table = Table(title="Incidents", title_justify="left")
        for name in ("priority", "cause", "members", "alerts", "who was paged"):
            table.add_column(name, justify="right" if name in ("members", "alerts") else "left", overflow="fold")
        loud = [one for one in found if one.paged]
        for one in loud:
            group = ", ".join(f"{key}={value}" for key, value in one.group.items())
            paged = ", ".join(f"{one.team or 'nobody'} ({target})" for target in one.paged)
            cause = f"{one.title}\n{one.rule}: {group}"
            table.add_row(
                *(escape(cell) for cell in (one.priority, cause, f"{len(one.members)}", f"{one.count:,}", paged))
            )
        self._console.print(table)
        quiet = [one for one in found if not one.paged]
        by = {priority: sum(one.priority == priority for one in quiet) for priority in ("P1", "P2", "P3", "P4")}
        words = ", ".join(f"{n} {priority}" for priority, n in by.items() if n)
        line = (
            f"and {len(quiet)} quiet incidents of the background noise ({words}): told to the teams' channel, nobody "
            f"was paged. {totals.accepted:,} alerts came to {totals.incidents} incidents and {totals.pages} pages; "
            f"{totals.dead} alerts could not be read and stand in alerts.dead."
        )
        self._console.print(line, highlight=False)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value:,} ms"


def _table(numbers: Numbers) -> Table:
    table = Table(title="The storm", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right", min_width=12)
    rows = {
        "raw alerts": f"{numbers.raw:,}",
        "suppressed": f"{numbers.suppressed:,}",
        "transitions": f"{numbers.transitions:,}",
        "dead letters": f"{numbers.dead:,}",
        "incidents": f"{numbers.incidents:,}",
        "pages": f"{numbers.pages:,}",
        "alerts a second": f"{numbers.per_second:,.0f}",
        "alert to page, p50": _ms(numbers.p50),
        "alert to page, p99": _ms(numbers.p99),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _line(numbers: Numbers) -> str:
    return (
        f"raw {numbers.raw:,}  suppressed {numbers.suppressed:,}  transitions {numbers.transitions:,}  "
        f"incidents {numbers.incidents:,}  pages {numbers.pages:,}  {numbers.per_second:,.0f} alerts/s  "
        f"alert to page p50 {_ms(numbers.p50)} p99 {_ms(numbers.p99)}"
    )
