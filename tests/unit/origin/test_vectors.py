"""The vendors' published examples. Twilio's is not among the forms: it has no source here, and signs the address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.origin.base import Request
from kernel.config import proof as forms
from tests.unit.origin.requests import prover, refused, request, secrets


@pytest.fixture(scope="module")
def vectors(corpus: Path) -> dict[str, Any]:
    """The published vectors by vendor."""
    found: dict[str, Any] = orjson.loads((corpus / "specs" / "webhook-signature-vectors.json").read_bytes())
    return found


async def test_pagerduty(vectors: dict[str, Any]) -> None:
    given = vectors["pagerduty_v3"]
    made = prover(forms.PagerDutyProof(secrets=secrets(given["secret"])))
    body = given["body"].encode()
    await made.check(request(body, **{given["header"]: given["signature"]}), 0)
    assert (await refused(made, request(body + b" ", **{given["header"]: given["signature"]}))).status == 403


async def test_slack(vectors: dict[str, Any]) -> None:
    given = vectors["slack_v0"]
    made = prover(forms.SlackProof(secrets=secrets(given["signing_secret"])))
    sent = request(
        given["body"].encode(), x_slack_signature=given["signature"], x_slack_request_timestamp=given["timestamp"]
    )
    at = int(given["timestamp"]) * 1000
    assert (await made.check(sent, at + 1_500)).skew == 1_500
    assert (await refused(made, sent, at + 301_000)).reason == "stale"


async def test_standard_webhooks(vectors: dict[str, Any]) -> None:
    given = vectors["standard_webhooks_v1"]
    made = prover(forms.StandardWebhooksProof(secrets=secrets(given["secret"])))
    headers = {name: given[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    proven = await made.check(request(given["body"].encode(), **headers), int(given["webhook-timestamp"]) * 1000)
    assert proven.replay == given["webhook-id"]


async def test_zendesk_signs_time_and_body_in_this_order(vectors: dict[str, Any]) -> None:
    given = vectors["zendesk_webhook_OLD_PAGE"]
    made = prover(forms.ZendeskProof(secrets=secrets(given["secret"])))

    def signed(code: str) -> Request:
        return request(
            given["body"].encode(),
            x_zendesk_webhook_signature=code,
            x_zendesk_webhook_signature_timestamp=given["timestamp"],
        )

    at = 1_627_207_200_000
    assert (await made.check(signed(given["signature_over_timestamp_then_body"]), at)).skew == 0
    assert (await refused(made, signed(given["signature_over_body_then_timestamp"]), at)).reason == "signature"
