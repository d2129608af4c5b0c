"""How each vendor signs: the schemes of its published documentation, and none by guess.

| form | header | signed |
|---|---|---|
| PagerDuty webhooks v3 | `X-PagerDuty-Signature: v1=HEX[,v1=HEX...]` | body |
| Slack v0 | `X-Slack-Signature: v0=HEX` | `v0:`, `X-Slack-Request-Timestamp`, `:`, body |
| Grafana contact point | `X-Grafana-Alerting-Signature: HEX` | body; or the time header, `:`, body |
| Zendesk webhooks | `X-Zendesk-Webhook-Signature: BASE64` | `X-Zendesk-Webhook-Signature-Timestamp`, body |
| GitHub | `X-Hub-Signature-256: sha256=HEX` | body |
| Sentry | `Sentry-Hook-Signature: HEX` | body |
| Standard Webhooks | `webhook-signature: v1,BASE64[ v1,...]` | `webhook-id`, `.`, `webhook-timestamp`, `.`, body |

Zendesk's older page has body and timestamp the other way round; the page in force and its example agree on this one.
"""

from __future__ import annotations

from typing import Final

from ingest.origin.codes import Part, Scheme
from kernel.config.proof import Encoding, GrafanaProof, HmacProof

PAGERDUTY: Final = Scheme(
    header="x-pagerduty-signature",
    prefix=b"v1=",
    apart=b",",
    name_header="x-webhook-id",
)
SLACK: Final = Scheme(
    header="x-slack-signature",
    prefix=b"v0=",
    lead=(b"v0:", Part.TIME, b":"),
    time_header="x-slack-request-timestamp",
)
ZENDESK: Final = Scheme(
    header="x-zendesk-webhook-signature",
    encoding=Encoding.BASE64,
    lead=(Part.TIME,),
    time_header="x-zendesk-webhook-signature-timestamp",
)
GITHUB: Final = Scheme(
    header="x-hub-signature-256",
    prefix=b"sha256=",
    name_header="x-github-delivery",
)
SENTRY: Final = Scheme(header="sentry-hook-signature")
STANDARD_WEBHOOKS: Final = Scheme(
    header="webhook-signature",
    prefix=b"v1,",
    apart=b" ",
    encoding=Encoding.BASE64,
    lead=(Part.NAME, b".", Part.TIME, b"."),
    time_header="webhook-timestamp",
    name_header="webhook-id",
)


def grafana(proof: GrafanaProof) -> Scheme:
    """Grafana's scheme; with a time header configured, a request without it is not taken."""
    timed = proof.timestamp_header is not None
    return Scheme(
        header=proof.header.lower(),
        lead=(Part.TIME, b":") if timed else (),
        time_header=(proof.timestamp_header or "").lower(),
    )


def generic(proof: HmacProof) -> Scheme:
    """What the configuration says."""
    timed = proof.timestamp_header is not None
    return Scheme(
        header=proof.header.lower(),
        prefix=proof.prefix.encode(),
        algorithm=proof.algorithm,
        encoding=proof.encoding,
        lead=(Part.TIME, proof.separator.encode()) if timed else (),
        time_header=(proof.timestamp_header or "").lower(),
    )
