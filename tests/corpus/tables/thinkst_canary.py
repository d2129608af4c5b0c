"""What each real payload of Thinkst Canary is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _row(file: str, incident: str, name: str, starts: str) -> Row:
    seen = Seen({"incident": incident}, name, "firing", "high", starts=starts)
    return Row(f"thinkst_canary/{file}.json", "thinkst_canary", "alerts", (seen,))


TABLE = Table(
    "thinkst_canary",
    (
        _row("port_scan", "9060473d2da98afe494adad648495620", "Host Port Scan", "2020-07-20T16:26:30Z"),
        _row("ssh_login", "4ef51a936d05e0a6b4846378c8c38d2c", "SSH Login Attempt", "2020-07-20T16:26:22Z"),
        _row(
            "consolidated_port_scan",
            "3f25fec9e18c7673dcc468800b7af0a6",
            "Consolidated Network Port Scan",
            "2020-07-20T16:18:40Z",
        ),
    ),
    mapped=True,
)
