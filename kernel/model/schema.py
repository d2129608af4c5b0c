"""JSON Schema of everything that stormfold itself writes: `python -m kernel.model.schema DIR`.

One file for each kind of record and of state, made from the same types that encode and decode it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from kernel.model import delivery, incident, signals, state

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: Final[dict[str, tuple[Any, str, int]]] = {
    "answers.raw": (
        signals.CommandEnvelope,
        "Value of a record of the topic `answers.raw` that carries a command",
        signals.SCHEMA_VERSION,
    ),
    "signals": (signals.SignalRecord, "Value of a record of the topic `signals`", signals.SCHEMA_VERSION),
    "incidents": (incident.IncidentRecord, "Value of a record of the topic `incidents`", incident.SCHEMA_VERSION),
    "deliveries": (delivery.DeliveryRow, "Value of a record of the topic `deliveries`", delivery.SCHEMA_VERSION),
    "state.member": (state.Member, "Value in `{sNN}:c:members`, by fingerprint", state.STATE_VERSION),
    "state.facts": (state.Facts, "Value in `{sNN}:c:facts`, by fingerprint", state.STATE_VERSION),
    "state.incident": (state.IncidentDoc, "Value in `{sNN}:c:incidents`, by incident id", state.STATE_VERSION),
    "state.change": (state.KnownChange, "Value in `{sNN}:c:changes`, by fingerprint", state.STATE_VERSION),
    "state.notifier": (state.NotifierDoc, "Value in `{sNN}:n:incidents`, by incident id", state.STATE_VERSION),
}
"""File name without `.json`: type, title, version of the schema."""


def document(name: str) -> dict[str, Any]:
    """The schema of one of `DOCUMENTS`, a JSON Schema of 2020-12 as plain values."""
    kind, title, version = DOCUMENTS[name]
    (reference,), components = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "title": title, "version": version, **reference, "$defs": components}


def rendered(name: str) -> str:
    """The text of the file, the same on every run."""
    return json.dumps(document(name), indent=2, sort_keys=True) + "\n"


def write(directory: Path) -> list[Path]:
    """Write every schema into `directory`, which is made where it is missing. Returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for name in DOCUMENTS:
        file = directory / f"{name}.json"
        file.write_text(rendered(name), encoding="utf-8")
        files.append(file)
    return files


def main(arguments: Sequence[str]) -> int:
    """`python -m kernel.model.schema DIR`."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m kernel.model.schema DIR\n")
        return 2
    for file in write(Path(arguments[0])):
        sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
