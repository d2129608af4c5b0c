"""`stormfold demo`: an alert storm through everything, on embedded servers, in one process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kernel.config.values import Duration
from kernel.telemetry.log import configure
from stormfold.cli.errors import UserError
from stormfold.cli.settings import read_settings


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End when the storm is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as one JSON object, nothing else.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same incidents.")] = 1,
    raw: Annotated[int, typer.Option(help="How many raw alerts are sent.")] = 12_000,
    repeat_for: Annotated[
        float, typer.Option("--for", metavar="SECONDS", min=0.0, help="Go on with repeats for so long.")
    ] = 0.0,
    lease: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long repeats are suppressed before a refresh: 2s, 2m.")
    ] = None,
    incidents: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every incident with its members to FILE as JSON.")
    ] = None,
) -> None:
    """Play an alert storm: six causes and background noise, by HTTP and by Kafka, to incidents and pages.

    Everything runs in this process beside embedded servers, which end with it. Exit 1 if the totals do not add up.
    """
    from stormfold.compose import run
    from stormfold.demo.play import Options, play
    from stormfold.demo.storm import LEAST_RAW

    if raw < LEAST_RAW:
        raise UserError(f"--raw {raw} is too few for this storm; give at least {LEAST_RAW}")
    if lease is not None:
        try:
            if Duration.parse(lease) < 1_000:
                raise UserError(f"--lease {lease} is too short; give at least 1s")
        except ValueError as error:
            raise UserError(f"--lease {error}") from error
    settings = read_settings()
    # Warnings only: one line a batch would bury what a person came to see.
    configure(settings.log_level if "STORMFOLD_LOG_LEVEL" in os.environ else "warning")
    status = run(play(Options(seed, raw, leave, as_json, repeat_for, lease, incidents), settings))
    if status:
        raise typer.Exit(status)
