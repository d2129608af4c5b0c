"""Alertmanager: its webhook, version 4, and the many senders that imitate it.

Identity: the alert's labels (`groups.py` says why not `fingerprint`). Status: the alert's own, else the group's.
Times: `observed_at` is arrival, for firing as for resolved, since a firing alert is repeated without a time of its
own. Alertmanager repeats at its `repeat_interval`; where the source configures that, `valid_for` is twice it and
10 min, else there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, Parsed
from ingest.adapters.groups import is_api_group, looks_like_group, parse_group
from ingest.adapters.reading import decode

_CONNECT: Final = """
```yaml
receivers:
  - name: stormfold
    webhook_configs:
      - url: http://stormfold:8080/v1/sources/alertmanager
        send_resolved: true
        max_alerts: 0        # otherwise alerts are left off, and only their number arrives
        http_config: {authorization: {credentials: TOKEN}}
```

Write the route's `repeat_interval` into the source's configuration, so that an alert whose end was lost goes stale.
"""


class Alertmanager(Adapter):
    """Same alert: the same labels. Source: Alertmanager's webhook documentation, version 4."""

    name: ClassVar[str] = "alertmanager"
    title: ClassVar[str] = "Alertmanager (webhook, version 4)"
    shape: ClassVar[tuple[str, ...]] = ("alerts", "status", "receiver", "groupKey", "commonLabels")

    about: ClassVar[About] = About(
        identity="all labels, else `fingerprint`, else `groupKey`",
        firing="`status` of the alert, else of the group",
        resolved="the same",
        observed="arrival",
        severity="label `severity`, else `priority`; the alert's, else the common ones",
        proof="`token` (Alertmanager signs nothing)",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A group of alerts (Grafana's, which says more, is asked before), or a group of its API, to be named so."""
        del headers
        return looks_like_group(body) or is_api_group(body)

    def parse(self, message: Message) -> Parsed:
        return parse_group(message, decode(message.body), "Alertmanager")
