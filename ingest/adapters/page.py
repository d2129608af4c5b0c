"""The generated parts of docs/sources.md: the table of sources, and how each is connected.

`python -m ingest.adapters.page docs/sources.md` writes them between the page's marks; what stands outside the marks is
written by hand and stays.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingest.adapters.base import Adapter
from ingest.adapters.registry import ADAPTERS

_PART: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)
_HEAD: Final = (
    "| source | sender | identity: the same alert is | firing, or what it tells | resolved | time | severity "
    "| proof of origin |\n|---|---|---|---|---|---|---|---|\n"
)


def _shown() -> list[Adapter]:
    return sorted(ADAPTERS.values(), key=lambda adapter: adapter.name)


def _row(adapter: Adapter) -> str:
    about = adapter.about
    first = f"[`{adapter.name}`](#{adapter.name})"
    cells = (about.identity, about.firing, about.resolved, about.observed, about.severity, about.proof)
    return " | ".join(("| " + first, adapter.title, *(" ".join(cell.split()) for cell in cells))) + " |\n"


def _connected(adapter: Adapter) -> str:
    return f"### {adapter.name}\n\n{adapter.title}.\n\n{adapter.about.connect.strip()}\n"


def rendered(page: str) -> str:
    """The page with its generated parts written anew. Raises KeyError for a mark that names no part."""
    parts = {
        "table": _HEAD + "".join(_row(adapter) for adapter in _shown()),
        "connect": "\n".join(_connected(adapter) for adapter in _shown()),
    }
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n{found[3]}", page)


def main(arguments: Sequence[str]) -> int:
    """Write the page named by the one argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m ingest.adapters.page PAGE\n")
        return 2
    path = Path(arguments[0])
    path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
