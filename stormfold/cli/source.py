"""`stormfold source`: what a source makes of a payload, before it is let in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.adapters.registry import ADAPTERS, UnknownAdapter
from ingest.explain import explain
from kernel.clock import SystemClock
from kernel.config.schema import Config
from stormfold.mapping_tests import run_tests

app = typer.Typer(name="source", help="Look at what a source makes of a payload.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at what a source makes of a payload."""


@app.command("try")
def try_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A configured source, an adapter, or auto to detect.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The body as the sender posts it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, a stable interface.")] = False,
    header: Annotated[list[str] | None, typer.Option("--header", metavar="K:V", help="May be given again.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="DIR", help="Configuration directory.")] = None,
) -> None:
    """Show what source NAME makes of the payload in FILE, and why.

    Exit status 0 for every outcome, 2 for an unreadable FILE, an unknown NAME or a bad configuration.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise _usage(f"{file} cannot be read: {error.strerror}; name a file that holds the body") from error
    try:
        found = explain(name, body, _headers(header or []), _config(config), SystemClock().now_ms())
    except UnknownAdapter as error:
        raise _usage(str(error)) from error
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(found)


@app.command("test")
def test_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The configuration directory.")],
) -> None:
    """Run the tests beside the configuration (`*_test.yaml`), one a line. Exit 1 if one does not hold."""
    config = _config(directory)
    assert config is not None
    failed = count = 0
    for result in run_tests(directory, config):
        count += 1
        failed += bool(result.problems)
        typer.echo(f"{'failed' if result.problems else 'holds'}  {result.place}  {result.name}")
        for problem in result.problems:
            typer.echo(f"        {problem}")
    if not count:
        raise _usage(f"there is no *_test.yaml in {directory}; docs/mappings.md shows how one is written")
    typer.echo(f"{count - failed} of {count} tests hold")
    if failed:
        raise typer.Exit(1)


def _usage(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(2)


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in given:
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise _usage(f"--header {line!r} is not K:V; write for example --header content-encoding:gzip")
        headers[key.strip().lower()] = value.strip()
    return headers


def _config(folder: Path | None) -> Config | None:
    if folder is None:
        return None
    from kernel.config.load import ConfigError, load

    try:
        return load(folder, os.environ, adapters=ADAPTERS, secrets=False).config
    except ConfigError as error:
        raise _usage(str(error)) from error


def _print(found: dict[str, Any]) -> None:
    console = Console()
    console.print(f"source [bold]{escape(found['source'])}[/], outcome [bold]{found['outcome']}[/]")
    if found["reason"]:
        for part in found["reason"].split("; "):
            console.print(f"  {escape(part)}")
    for what, kind, keys in (("alert", "alerts", _ALERT), ("change", "changes", _CHANGE)):
        for number, entry in enumerate(found[kind], 1):
            console.print(_table(f"{what} {number} of {len(found[kind])}", entry, keys))


_ALERT = ("name", "status", "severity", "service", "starts_at", "ends_at", "fingerprint")
_CHANGE = ("what", "name", "outcome", "service", "where", "who", "when", "revision", "link", "fingerprint")


def _table(title: str, entry: dict[str, Any], keys: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    labels = "\n".join(f"{key}={value}" for key, value in entry["labels"].items())
    for key in keys:
        table.add_row(key, escape(entry[key] or "-"))
    table.add_row("labels", escape(labels or "-"))
    return table
