"""`stormfold`: the table of commands. A command's module is imported when it is called, so `--help` is quick."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from stormfold.version import version

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("stormfold.cli.demo:demo", "Play an alert storm through everything, on this machine alone."),
    "up": ("stormfold.cli.run:up", "Run the services."),
    "send": ("stormfold.cli.send:send", "Publish a file of alerts."),
    "source": ("stormfold.cli.source:app", "See what a source makes of a payload."),
    "check": ("stormfold.cli.check:check", "Validate a configuration directory."),
    "incidents": ("stormfold.cli.incidents:incidents", "List the incidents."),
    "incident": ("stormfold.cli.incidents:incident", "Show one incident, and why it is what it is."),
    "changes": ("stormfold.cli.changes:changes", "List what changed lately."),
    "ack": ("stormfold.cli.incidents:ack", "Acknowledge an incident."),
    "resolve": ("stormfold.cli.incidents:resolve", "Resolve an incident."),
    "note": ("stormfold.cli.incidents:note", "Write a note into an incident's timeline."),
    "dead": ("stormfold.cli.dead:app", "Dead letters: list, show, replay."),
    "topics": ("stormfold.cli.topics:app", "Topics: plan, apply."),
    "shard": ("stormfold.cli.shard:app", "The way out of a lost shard."),
}
"""Name: (module:attribute, what the list of commands says). The attribute is a function or a Typer with commands."""


class LazyCommand(TyperCommand):
    """Stands in the list of commands; gives way to the real command when it is called."""

    def __init__(self, name: str, target: str, short: str) -> None:
        super().__init__(name=name, help=short)
        self._target = target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command, which also runs in it."""
        return resolve(str(self.name), self._target).make_context(info_name, args, parent=parent, **extra)


def resolve(name: str, target: str) -> Any:
    """Import `module:attribute` and make a command of it."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    single = typer.Typer(add_completion=False)
    single.command(name=name)(found)
    return typer.main.get_command(single)


class LazyGroup(TyperGroup):
    """All commands of `COMMANDS`, none of them imported yet."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (target, short) in COMMANDS.items():
            self.add_command(LazyCommand(name, target, short))


app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stormfold {version()}")
        raise typer.Exit


@app.callback()
def stormfold(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Fold an alert storm into incidents, and page the right people once."""
    del show_version


def run(args: list[str]) -> None:
    """Run the command line `args` (without the program's name); exits by SystemExit as the shell expects."""
    typer.main.get_command(app).main(args, prog_name="stormfold")
