"""PagerDuty: its webhooks (v3, and the old v2 and v1), and what its senders post to the Events API (v2, v1, changes).

Webhooks are read in `pagerduty_webhooks`. Identity is the incident's id: it is in every webhook, while `incident_key`
is null in many and absent from notes. `triggered`, `reopened` and `priority_updated` fire, `resolved` resolves;
`acknowledged`, `unacknowledged` and whatever carries a person's text are answers. `observed_at` is the time that
every webhook has (`occurred_at`, `created_on`).

Events are read in `pagerduty_events`. Identity is `dedup_key` (v1: `incident_key`, the same name); a trigger without
one is an alert of its own, as at PagerDuty, which assigns it a key that is never used again. `observed_at` is the
arrival: `payload.timestamp` is no part of a resolve, and a trigger that is sent again may still have the first time.

Webhooks come once a change, so they have no `valid_for`; events have it where the source has a repeat interval.
An incident or event with a key that stormfold gave PagerDuty is about an incident of stormfold's own, and never an
alert. The routing key is a secret and is read nowhere.
Source: "Webhooks" (v3, v2, v1) and "Events API" (v2, v1) of PagerDuty's developer documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ingest.adapters.base import About, Adapter, Message, NotUnderstood, Parsed, Reason
from ingest.adapters.pagerduty_events import looks_like_change, looks_like_event, parse_change, parse_event
from ingest.adapters.pagerduty_webhooks import looks_like_messages, looks_like_v3, parse_messages, parse_v3
from ingest.adapters.reading import as_object, decode

_CONNECT: Final = """
**What pages PagerDuty pages stormfold** by another address and a routing key of the source
(`proof: {type: routing-key, secrets: [...]}`, in a source of its own with `adapter: pagerduty`). In Alertmanager:

```yaml
global:
  pagerduty_url: http://stormfold:8080/v2/enqueue
```

**Webhooks** bring the incidents of PagerDuty, and what people answer there, also to pages that stormfold sent.
*Integrations, Generic Webhooks (v3)*, or by PagerDuty's API, whose answer names the secret once
(`delivery_method.secret`); it belongs under `proof: {type: pagerduty, secrets: [...]}` of the source:

```sh
curl https://api.pagerduty.com/webhook_subscriptions -H "Authorization: Token token=$API_KEY" \\
  -H 'Content-Type: application/json' -d '{"webhook_subscription": {
    "type": "webhook_subscription", "filter": {"type": "account_reference"},
    "delivery_method": {"type": "http_delivery_method", "url": "http://stormfold:8080/v1/sources/pagerduty"},
    "events": ["incident.triggered", "incident.acknowledged", "incident.unacknowledged", "incident.annotated",
      "incident.priority_updated", "incident.reopened", "incident.resolved", "incident.status_update_published",
      "incident.responder.added", "incident.responder.replied"]}}'
```
"""


class PagerDuty(Adapter):
    """Same alert: the incident's id (webhooks), `dedup_key` (events). Source: PagerDuty's developer documentation."""

    name: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty (webhooks v3, v2, v1; bodies of the Events API v2 and v1)"
    shape: ClassVar[tuple[str, ...]] = ("event", "messages", "routing_key", "event_action", "dedup_key", "payload")
    answers: ClassVar[bool] = True
    about: ClassVar[About] = About(
        identity="webhooks: the incident's id. Events: `dedup_key` (v1: `incident_key`); without one each trigger is "
        "an alert of its own. A change event: summary, source and timestamp",
        firing="webhooks `triggered`, `reopened`, `priority_updated`; event `trigger`. Answers: `acknowledged`, "
        "`unacknowledged`, notes, status updates; event `acknowledge`. Changes: change events",
        resolved="webhook `resolved`, event `resolve`",
        observed="webhooks `occurred_at` (v2, v1 `created_on`), events arrival",
        severity="webhooks: the priority's name, else the urgency. Events: `payload.severity`",
        proof="webhooks `pagerduty`: `X-PagerDuty-Signature` over the body; events `routing-key`",
        connect=_CONNECT,
    )

    def recognises(self, body: Any, headers: Mapping[str, str]) -> bool:
        """A v3 event, a list of v2 or v1 messages, or an event with its key and action."""
        del headers
        return isinstance(body, dict) and (
            looks_like_v3(body)
            or looks_like_messages(body)
            or looks_like_event(body)
            or ("routing_key" in body and looks_like_change(body))
        )

    def parse(self, message: Message) -> Parsed:
        body = as_object(decode(message.body), "the body")
        if "messages" in body:
            return parse_messages(message, body)
        if "event_action" in body or "event_type" in body:
            return parse_event(message, body)
        if "event" in body:
            return parse_v3(message, body)
        if looks_like_change(body):
            return parse_change(message, body)
        raise NotUnderstood(
            Reason.MISSING_FIELD,
            "neither event (webhook v3) nor messages (v2, v1) nor event_action (Events API) nor the payload of a "
            "change event is present",
        )
