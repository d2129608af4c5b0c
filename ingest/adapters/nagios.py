"""Nagios Core and XI: JSON that a notification command posts.

Nagios sends no JSON of its own: a command of the administrator's writes it. Read are the macros by their own names
(`HOSTNAME`, as Nagios exports them also `NAGIOS_HOSTNAME`), which the command in the documentation sends, and by the
names that are usual in such commands (`host_name`, `service_description` or `service_desc`, `state`, `plugin_output`
or `output`). A macro that Nagios did not fill in (`$SERVICEDESC$`) is absent.

Identity: host and service (`checks.py`); a host's own notification has no service. `PROBLEM` fires, `RECOVERY`
resolves; acknowledgements, flapping, downtimes and custom notifications say neither and are ignored: they change who
is told, not what is wrong. Without a type the state decides: OK and UP resolve, others fire where they are HARD. A
SOFT problem is not one yet. Times: `observed_at` is the notification's (`TIMET`), for firing as for resolved; a
problem began when the state last changed (`LASTSERVICESTATECHANGE`), where the command sends that. Nagios repeats a
problem at its `notification_interval`: written into the source as `repeat_interval` it gives `valid_for`, else there is
none. Source: "Standard Macros in Nagios", "Notifications" and "State Types" of the Nagios Core documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, Outcome, Parsed
from ingest.adapters.checks import macros_of, read_notification
from ingest.adapters.making import attempt, finish
from ingest.adapters.reading import as_object, decode

_CONNECT: Final = r"""
A notification command that posts Nagios' own macros, for hosts as for services; `enable_environment_macros=1` in
`nagios.cfg`, `jq` and `curl` beside it:

```sh
#!/bin/sh
# /usr/local/lib/nagios/notify-stormfold
jq -n '$ENV | with_entries(select(.key | test(
    "^NAGIOS_(HOST|SERVICE|LAST(HOST|SERVICE)STATE|NOTIFICATION|TIMET|LONG(HOST|SERVICE)OUTPUT)")))' |
  curl -fsS -m 10 -H 'Content-Type: application/json' -H "Authorization: Bearer $(cat /etc/nagios/stormfold.token)" \
    --data-binary @- http://stormfold:8080/v1/sources/nagios
```

```text
define command {
  command_name  notify-stormfold
  command_line  /usr/local/lib/nagios/notify-stormfold
}
define contact {
  contact_name                   stormfold
  host_notification_commands     notify-stormfold
  service_notification_commands  notify-stormfold
  host_notification_options      d,u,r
  service_notification_options   w,u,c,r
  host_notification_period       24x7
  service_notification_period    24x7
}
```

Write the `notification_interval` into the source's `repeat_interval`, so that a problem whose recovery was lost goes
stale.
"""


class Nagios(Adapter):
    """Same alert: host and service. Source: the Nagios Core documentation, "Standard Macros in Nagios"."""

    name: ClassVar[str] = "nagios"
    title: ClassVar[str] = "Nagios Core and XI (notification command)"
    shape: ClassVar[tuple[str, ...]] = (
        "host_name", "service_description", "notification_type", "NAGIOS_HOSTNAME", "NAGIOS_NOTIFICATIONTYPE",
    )  # fmt: skip
    about: ClassVar[About] = About(
        identity="host, and the service's description",
        firing="`PROBLEM`; without a type a HARD state that is not OK or UP",
        resolved="`RECOVERY`; without a type OK or UP",
        observed="`TIMET` (`timestamp`), else arrival",
        severity="the state: CRITICAL and DOWN critical, UNKNOWN and UNREACHABLE high, WARNING medium",
        proof="`token`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A host and the type of a notification, in names of macros or in those of the usual commands."""
        del headers
        if not isinstance(body, dict):
            return False
        if isinstance(body.get("NAGIOS_HOSTNAME"), str):
            return True
        return isinstance(body.get("host_name"), str) and isinstance(body.get("notification_type"), str)

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        parsed, silent = Parsed(Outcome.IGNORED), list[str]()
        attempt(parsed, 0, partial(read_notification, message, macros_of(body), parsed, silent))
        return finish(parsed, "; ".join(silent))
