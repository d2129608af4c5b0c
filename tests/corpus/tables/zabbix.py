"""What each real payload of zabbix is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

# The id of the event stands in the link alone; these bodies carry no time.
_PING = {"event": "10528"}
_NAME = "Zabbix agent on www.example.com is unreachable for 5 minutes"

TABLE = Table(
    "zabbix",
    (
        Row("zabbix/problem_average.json", "zabbix", "alerts", (Seen(_PING, _NAME, "firing", "medium"),)),
        Row("zabbix/problem_missing_hostname.json", "zabbix", "alerts", (Seen(_PING, _NAME, "firing", "medium"),)),
        Row("zabbix/recovery_average.json", "zabbix", "alerts", (Seen(_PING, _NAME, "resolved", "medium"),)),
    ),
    (
        ("zabbix/problem_average.json", "zabbix/recovery_average.json"),
        ("zabbix/problem_missing_hostname.json", "zabbix/recovery_average.json"),
    ),
)
