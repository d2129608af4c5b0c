"""`python -m tests.bench`: measure, show a table, write build/bench.json. See docs/bench.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench.cores import split
from tests.bench.deployment import LEASE, RAW_PARTITIONS, SHARDS, Servers, WrongRun, machine
from tests.bench.latency import latency_run
from tests.bench.on_http import PostFailed
from tests.bench.throughput import DISTINCT, Amounts, Shape, alertmanager_run, http_run, kafka_run
from tests.servers import kafka, valkey
from tests.servers.process import ServerFailed, ServerMissing, program

WAYS = ("kafka", "http")
RATES = (200, 1_000, 2_000)
COLUMNS = ("ours_us", "valkey_us", "getmany_us", "floor_us", "alertmanager_us")
OUT = Path("build/bench.json")
# Alerts of a full run: ours over Kafka, ours over HTTP, Alertmanager's (which opens a connection for each group due).
FULL = {
    ("repeat", 1): (300_000, 30_000, 30_000),
    ("repeat", 64): (600_000, 128_000, 128_000),
    ("distinct", 1): (40_000, 20_000, 12_000),
    ("distinct", 64): (40_000, 40_000, 12_000),
}
ALL = [f"{kind}/{way}/{size}" for kind in ("repeat", "distinct") for way in WAYS for size in (1, 64)]
ALL += [f"latency/{rate}" for rate in RATES]

Row = dict[str, Any]


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"which rows; all by default: {' '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="one run of a third of the alerts, under 3 minutes")
    parser.add_argument("--runs", type=int, help="runs of each case, of which the median counts (3; quick 1)")
    parser.add_argument("--scale", type=float, help="times the usual number of alerts (1; quick 0.34)")
    parser.add_argument("--seconds", type=float, help="length of a latency run after its warm-up (5; quick 3)")
    given = parser.parse_args()
    if unknown := [case for case in given.cases if case not in ALL]:
        parser.error(f"there is no case {unknown[0]}; the cases are {' '.join(ALL)}")
    given.runs = given.runs or (1 if given.quick else 3)
    given.scale = given.scale or (0.34 if given.quick else 1.0)
    given.seconds = given.seconds or (3.0 if given.quick else 5.0)
    return given


class Bench:
    """Runs the rounds and keeps every run's numbers by case and column."""

    def __init__(self, console: Console, servers: Servers, given: argparse.Namespace) -> None:
        self._console = console
        self._servers = servers
        self._given = given
        self._cases = [case for case in ALL if not given.cases or case in given.cases]
        self._found: dict[str, dict[str, list[float]]] = {case: {} for case in self._cases}

    async def run(self) -> list[Row]:
        """All rounds, one after the other, so that what is compared was measured side by side."""
        for number in range(self._given.runs):
            for (kind, size), counts in FULL.items():
                await self._shape(number, Shape(kind, size, Amounts(*map(self._even, counts))))
            for rate in RATES:
                case = f"latency/{rate}"
                if case in self._cases:
                    run = latency_run(self._servers, rate, self._given.seconds)
                    self._keep([case], await self._timed(number, case, run))
        return [
            {"case": case, **{c: statistics.median(v) for c, v in self._found[case].items()}} for case in self._cases
        ]

    def _even(self, count: int) -> int:
        """Scaled, in whole messages of whole groups."""
        return max(128, int(count * self._given.scale) // 128 * 128)

    async def _shape(self, number: int, shape: Shape) -> None:
        rows = {way: f"{shape.kind}/{way}/{shape.size}" for way in WAYS}
        wanted = [case for case in rows.values() if case in self._cases]
        if not wanted:
            return
        ours = {"ours_us", "valkey_us"}
        got = await self._timed(number, rows["kafka"], kafka_run(self._servers, shape))
        self._keep([rows["kafka"]], {c: v for c, v in got.items() if c in ours})
        self._keep(wanted, {c: v for c, v in got.items() if c not in ours})
        am = await self._timed(number, f"Alertmanager {shape.kind}/{shape.size}", alertmanager_run(shape))
        self._keep(wanted, {"alertmanager_us": am["alertmanager_us"]})
        if rows["http"] in self._cases:
            self._keep([rows["http"]], await self._timed(number, rows["http"], http_run(self._servers, shape)))

    async def _timed(self, number: int, what: str, run: Awaitable[Any]) -> Any:
        began = time.monotonic()
        with self._console.status(f"run {number + 1} of {self._given.runs}: {what}"):
            got = await run
        shown = "  ".join(f"{column} {value:.2f}" for column, value in got.items())
        self._console.print(f"{number + 1}/{self._given.runs} {what:24} {shown}  ({time.monotonic() - began:.0f} s)")
        return got

    def _keep(self, cases: Iterable[str], values: Row) -> None:
        for case in cases:
            for column, value in values.items():
                if case in self._found:
                    self._found[case].setdefault(column, []).append(value)


def show(console: Console, rows: list[Row]) -> None:
    """Two tables: µs of CPU an alert, and milliseconds from alert to page."""
    costs = [row for row in rows if "ours_us" in row]
    if costs:
        table = Table(
            "case", "ours", "Valkey", "getmany", "floor", "Alertmanager", "ours / floor", "all / Alertmanager"
        )
        for row in costs:
            ratios = row["ours_us"] / row["floor_us"], (row["ours_us"] + row["valkey_us"]) / row["alertmanager_us"]
            table.add_row(row["case"], *(f"{row[column]:.2f}" for column in COLUMNS), *(f"{r:.2f}" for r in ratios))
        table.title = "µs of CPU an alert (medians; AM is Alertmanager)"
        console.print(table)
    times = [row for row in rows if "p50_ms" in row]
    if times:
        table = _table("case", "p50", "p99")
        table.title = "alert to page, ms (medians)"
        for row in times:
            table.add_row(row["case"], f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
        console.print(table)


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


async def main(console: Console, given: argparse.Namespace) -> int:
    """The whole measurement."""
    began = time.monotonic()
    program("prometheus-alertmanager", "prometheus-alertmanager")
    console.print(f"{machine()}; {SHARDS} shards, {RAW_PARTITIONS} raw partitions, lease {LEASE}, {DISTINCT} repeating")
    broker = kafka.start()
    try:
        with valkey.running() as store:
            rows = await Bench(console, Servers(broker, store), given).run()
    finally:
        broker.stop()
    show(console, rows)
    OUT.parent.mkdir(exist_ok=True)
    kept = [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    OUT.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")
    console.print(f"{OUT} written; {time.monotonic() - began:.0f} s")
    return 0


def start() -> int:
    """Everything that is not measured stays on the second core, this process first of all."""
    console = Console(stderr=False)
    try:
        given = arguments()
        os.sched_setaffinity(0, {split()[1]})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main(console, given))
    except (ServerMissing, ServerFailed, WrongRun, PostFailed) as error:
        console.print(f"[red]no result:[/red] {error}", markup=True)
        return 1


if __name__ == "__main__":
    sys.exit(start())
