"""`stormfold dead`: what could not be understood, why, and putting it back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

import typer
from aiokafka.errors import KafkaError
from rich.table import Table

from kernel.clock import rfc3339
from stormfold.cli.errors import UserError
from stormfold.cli.found import found_settings
from stormfold.cli.screen import cell, clean, console, masked, masked_body
from stormfold.dead_letters import (
    LOOK_BACK,
    DeadLetters,
    Letter,
    LetterId,
    NotAcknowledged,
    body_of,
    dead_letters,
)
from stormfold.quiet import quiet_clients

T = TypeVar("T")
MOST: Final = 1_000
SHOWN: Final = 8_192

app = typer.Typer(name="dead", help="Dead letters: list, show, replay.", no_args_is_help=True)

_Source = Annotated[str | None, typer.Option("--source", help="Only those of this source.")]
_Reason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, a stable interface.")]


@app.callback()
def _group() -> None:
    """Dead letters: list, show, replay. Uses STORMFOLD_KAFKA, else an embedded run of this user."""


@app.command("list")
def list_(
    source: _Source = None,
    reason: _Reason = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 50,
    as_json: _Json = False,
) -> None:
    """List dead letters, the newest first, with the reason of each."""
    found = _with(lambda letters: letters.newest(_wanted(source, reason), limit))
    if as_json:
        rows = [_as_json(letter) for letter in found.letters]
        typer.echo(json.dumps({"letters": rows, "older": found.older}, ensure_ascii=False))
        return
    if found.letters:
        console().print(_table(found.letters))
    else:
        typer.echo("no dead letters" + (" of that kind" if source or reason else ""))
    if found.older:
        typer.echo(f"there may be older ones: --limit takes up to 1000, among the newest {LOOK_BACK} of a partition")


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="partition:offset, as the list shows it.")],
    as_json: _Json = False,
) -> None:
    """Show one dead letter: why, where it came from, and its body without what looks like a secret."""
    wanted = LetterId.parse(letter_id)
    letter, record = _with(lambda letters: letters.get(wanted))
    body = masked_body(body_of(letter, record.value or b""))
    cut = len(body) > SHOWN
    if as_json:
        extra = {"tenant": letter.header("tenant"), "build": letter.header("build"), "obstacle": letter.obstacle}
        typer.echo(json.dumps({**_as_json(letter), **extra, "body": body[:SHOWN], "cut": cut}, ensure_ascii=False))
        return
    for name, value in _facts(letter):
        typer.echo(f"{name:9} {clean(value)}")
    for entry in letter.detail:
        typer.echo(f"  alert {entry.get('index', '?')}: {clean(masked(str(entry.get('detail', ''))))}")
    typer.echo("")
    typer.echo(clean(body[:SHOWN], lines=True))
    if cut:
        typer.echo(f"... cut after {SHOWN} of {len(body)} characters")
    typer.echo("")
    typer.echo(f"cannot be replayed: {letter.obstacle}" if letter.obstacle else f"stormfold dead replay {letter.id}")


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="partition:offset of each.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that --source and --reason leave.")] = False,
    source: _Source = None,
    reason: _Reason = None,
    really: Annotated[bool, typer.Option("--yes-really", help=f"Even if there are more than {MOST}.")] = False,
) -> None:
    """Publish dead letters to alerts.raw again, as they came; done when Kafka has acknowledged them.

    They stay in alerts.dead. Alerts of a body that were understood the first time are repeats now, and counted.
    """
    if bool(ids) == every:
        raise typer.BadParameter("name the letters by their ids, or say --all, with --source and --reason to choose")
    if ids and (source or reason):
        raise typer.BadParameter("--source and --reason choose among --all; leave them out, or leave the ids out")
    chosen = list(dict.fromkeys(LetterId.parse(text) for text in ids or ()))
    _with(lambda letters: _replay(letters, chosen, source, reason, really))


async def _replay(
    letters: DeadLetters, chosen: list[LetterId], source: str | None, reason: str | None, really: bool
) -> None:
    if chosen:
        found = [(await letters.get(wanted))[0] for wanted in chosen]
    else:
        found = await letters.all(_wanted(source, reason))
    fit = [letter for letter in found if letter.obstacle is None]
    if len(fit) > MOST and not really:
        raise UserError(
            f"that would publish {len(fit)} records, more than {MOST}; choose by --source and --reason, "
            "or add --yes-really. Nothing was published"
        )
    for text in dict.fromkeys(letter.obstacle for letter in found if letter.obstacle is not None):
        mine = [str(letter.id) for letter in found if letter.obstacle == text]
        typer.echo(f"not replayed: {_some(mine)}: {text}", err=True)
    try:
        done = await letters.replay(fit)
    except NotAcknowledged as error:
        raise UserError(
            f"{error.done} of {len(fit)} were acknowledged, then Kafka failed ({error}); "
            f"not known of {_some([str(name) for name in error.unsure]) or 'none'}: replaying a record twice does no "
            "harm but to its counts"
        ) from error
    typer.echo(f"replayed {done} of {len(found)} dead letters to alerts.raw; Kafka has acknowledged them")
    if done < len(fit):
        raise UserError(f"{len(fit) - done} were no longer in the topic when they were read")
    if len(found) > len(fit):
        raise typer.Exit(1)


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _wanted(source: str | None, reason: str | None) -> Callable[[Letter], bool]:
    def wanted(letter: Letter) -> bool:
        return (source is None or letter.header("source") == source) and (
            reason is None or letter.header("reason") == reason
        )

    return wanted


def _with(work: Callable[[DeadLetters], Coroutine[Any, Any, T]]) -> T:
    settings = found_settings()

    async def working() -> T:
        async with dead_letters(settings) as letters:
            return await work(letters)

    try:
        with quiet_clients():
            return asyncio.run(working())
    except KafkaError as error:
        raise UserError(f"Kafka does not answer as it should: {error!r}") from error


def _as_json(letter: Letter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "at": rfc3339(letter.at),
        "source": letter.header("source"),
        "reason": letter.header("reason"),
        "stage": letter.header("stage"),
        "origin": letter.origin,
        "attempt": letter.header("attempt"),
        "alerts": letter.header("alerts"),
        "bytes": letter.size,
        "detail": [{**entry, "detail": masked(str(entry.get("detail", "")))} for entry in letter.detail],
        "replayable": letter.obstacle is None,
    }


def _facts(letter: Letter) -> list[tuple[str, str]]:
    rows = [("id", str(letter.id)), ("at", rfc3339(letter.at))]
    rows += [(name, letter.header(name) or "-") for name in ("reason", "stage", "source", "tenant")]
    return [*rows, ("origin", letter.origin or "-"), ("attempt", letter.header("attempt") or "-")]


def _table(letters: list[Letter]) -> Table:
    table = Table()
    for name in ("id", "at", "source", "reason", "stage", "attempt"):
        table.add_column(name, no_wrap=True)
    table.add_column("alerts", justify="right")
    # Only this one may give way: where no column may, all are squeezed until nothing can be read.
    table.add_column("first detail", overflow="fold")
    for letter in letters:
        detail = masked(str(letter.detail[0].get("detail", ""))) if letter.detail else ""
        texts = (letter.header(name) for name in ("source", "reason", "stage", "attempt", "alerts"))
        table.add_row(str(letter.id), rfc3339(letter.at), *(cell(text) for text in texts), cell(detail))
    return table
