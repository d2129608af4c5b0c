"""`stormfold changes`: what changed lately, as the gateway's API tells it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from stormfold.cli.errors import UserError
from stormfold.cli.gateway import Gateway
from stormfold.cli.screen import cell, clean, console


def changes(
    service: Annotated[str | None, typer.Option("--service", help="Only of this service.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="How long ago (2h), or a time.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer as one JSON object.")] = False,
) -> None:
    """List what changed lately, newest first. Exit 1 where some shards cannot tell theirs."""
    query = [(name, value) for name, value in (("service", service), ("since", since)) if value is not None]
    gateway = Gateway.find()
    code, said = gateway.ask("GET", "/changes", [*query, ("limit", str(limit))])
    partial = code == 503 and "changes" in said
    if not partial:
        gateway.refuse(code, said)
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False))
    elif said["changes"]:
        console().print(changes_table(said["changes"]))
    elif not partial:
        typer.echo("no changes" + (" of that kind" if query else ""))
    if partial:
        raise UserError(clean(str(said["error"])))


def changes_table(rows: Sequence[dict[str, Any]], title: str = "", *, why: bool = False) -> Table:
    """Changes as the API tells them, in a table; with `why` what each has in common with an incident."""
    columns = ["at", "what", "name", "outcome", "service", "where", "who", "revision", *(["why"] if why else [])]
    table = Table(title=title or None, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name == "at")
    for row in rows:
        table.add_row(*(cell(row[name]) for name in columns))
    return table
