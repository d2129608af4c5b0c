"""The tables, one a folder of payloads: every module here has a `TABLE`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.corpus.rows import Table

TABLES: tuple[Table, ...] = tuple(
    import_module(f"{__name__}.{path.stem}").TABLE
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if path.stem != "__init__"
)
