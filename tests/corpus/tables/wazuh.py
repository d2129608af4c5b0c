"""What each real payload of Wazuh is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_SEEN = Seen(
    {"rule": "2902", "agent": "001"},
    "New dpkg (Debian Package) installed.",
    "firing",
    "info",
    starts="2025-02-03T20:41:42.853Z",
)

TABLE = Table("wazuh", (Row("wazuh/dpkg_installed.json", "wazuh", "alerts", (_SEEN,)),), mapped=True)
