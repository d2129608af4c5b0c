"""What each real payload of elastic is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table

_RULE = {"space": "default", "rule": "rule-123"}

TABLE = Table(
    "elastic",
    (
        Row(
            "elastic/kibana_alert_fired.json",
            "elastic",
            "alerts",
            (Seen(_RULE, "High error rate", "firing", "critical"),),
        ),
        Row(
            "elastic/kibana_alert_fired_2.json",
            "elastic",
            "alerts",
            (Seen(_RULE, "High error rate", "firing", "critical"),),
        ),
        Row("elastic/kibana_alert_missing_rule_id.json", "elastic", "quarantined", says="ruleId is missing"),
        Row(
            "elastic/kibana_alert_message.json",
            "elastic",
            "alerts",
            (Seen({"space": "default", "rule": "abc-123"}, "High error rate detected", "firing", "critical"),),
        ),
        # A document of a detection, exported without its ids: the rule, the host and the user tell it from others.
        Row(
            "elastic/siem_signal_document.json",
            "elastic",
            "alerts",
            (
                Seen(
                    {"rule": "Hash matched local blocklist", "instance": "WS-ENG-0231", "user": "d.chen"},
                    "Hash matched local blocklist",
                    "firing",
                    "medium",
                    None,
                    "2026-07-20T03:40:19.221Z",
                ),
            ),
        ),
        # `entity_id` holds the id of the execution and is no identity.
        Row(
            "elastic/watcher_victorops_body.json",
            "elastic",
            "alerts",
            (Seen({"watch": "cluster_health_watch"}, "cluster_health_watch", "firing", "critical"),),
        ),
    ),
)
