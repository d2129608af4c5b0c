"""`stormfold check DIR`: what is wrong with a configuration, by file and line, and what would be right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ingest.adapters.registry import ADAPTERS
from kernel.config.load import ConfigError, Loaded, load
from notifier.texts import check_template
from stormfold.cli.errors import UserError
from stormfold.mapping_tests import run_tests


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The configuration directory.", show_default=False)],
    secrets: Annotated[
        bool,
        typer.Option(
            "--secrets/--no-secrets",
            help="Read the secrets that the configuration names, or check only how they are written.",
        ),
    ] = True,
) -> None:
    """Validate a configuration directory as a whole, and run the tests of its mappings (`*_test.yaml`).

    Exit 0 if it can be used, 1 with every problem if not.
    """
    try:
        loaded = load(directory, os.environ, adapters=ADAPTERS, title=check_template, secrets=secrets)
    except ConfigError as error:
        n = len(error.problems)
        raise UserError(f"{error}\n{n} {'problem' if n == 1 else 'problems'}: this cannot be used") from None
    results = list(run_tests(directory, loaded.config))
    failed = [problem for result in results for problem in result.problems]
    if failed:
        shown = "\n".join(str(problem) for problem in failed)
        raise UserError(f"{shown}\n{len(failed)} {'problem' if len(failed) == 1 else 'problems'} in the tests")
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(summary(loaded))
    if results:
        typer.echo(f"{len(results)} tests of its sources hold")


def summary(loaded: Loaded) -> str:
    """One line: what the configuration holds and the beginning of its hash."""
    config = loaded.config
    sections = ("sources", "teams", "services", "channels", "rules", "routes")
    counts = ", ".join(f"{len(getattr(config, section))} {section}" for section in sections)
    return f"good: {len(loaded.files)} files with {counts}; hash {loaded.hash[:12]}"
