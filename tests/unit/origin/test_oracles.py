"""Other implementations sign, ours verifies; and what ours accepts, theirs does too."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook as StandardWebhook

from kernel.config import proof as forms
from kernel.config.values import Secret
from notifier.channels.webhook import event, signature, signing_keys
from tests.channels.examples import NOW as SENT
from tests.channels.examples import delivery
from tests.unit.origin.requests import NOW, OTHER, SECRET, accepted, prover, refused, request, secrets

KEYS = tuple("whsec_" + base64.b64encode(bytes(range(start, start + 32))).decode() for start in (0, 40))


async def test_slacks_own_signature() -> None:
    body = "payload=%7B%22type%22%3A%22block_actions%22%7D&text=caf\u00e9"
    code = SignatureVerifier(SECRET).generate_signature(timestamp=str(NOW // 1000), body=body)
    assert code
    sent = request(body.encode(), x_slack_signature=code, x_slack_request_timestamp=str(NOW // 1000))
    made = prover(forms.SlackProof(secrets=secrets(SECRET)))
    proven = await accepted(made, sent)
    assert proven.replay
    assert (await refused(prover(forms.SlackProof(secrets=secrets(OTHER))), sent)).reason == "signature"

    class Then(Clock):
        def now(self) -> float:
            return NOW / 1000

    headers = {name: value.decode() for name, value in sent.headers.items()}
    assert SignatureVerifier(SECRET, Then()).is_valid_request(body, headers)


async def test_standard_webhooks_own_signature() -> None:
    body, moment = '{"n": 1}', datetime.fromtimestamp(NOW // 1000, tz=UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW // 1000),
        "webhook-signature": StandardWebhook(KEYS[0]).sign("msg_1", moment, body),
    }
    made = prover(forms.StandardWebhooksProof(secrets=secrets(*KEYS)))
    assert (await accepted(made, request(body.encode(), **headers))).replay == "msg_1"
    for name, value in headers.items():
        other = headers | {name: value + "0"}
        assert (await refused(made, request(body.encode(), **other))).status == 403
        assert (await refused(made, request(body.encode(), **(headers | {name: ""})))).status == 401


async def test_our_own_channels_signature_while_both_sides_exchange_the_secret() -> None:
    """stormfold behind stormfold: the webhook channel signs with every key, the door tries every key."""
    sent = delivery()
    body, name = event(sent), sent.key.delivery_id
    both = signing_keys(Secret.resolve({"env": "K"}, {"K": " ".join(KEYS)}, Path()))
    for keys in (both[:1], both[1:], both):
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(SENT // 1000),
            "webhook-signature": signature(keys, name, SENT // 1000, body),
        }
        made = prover(forms.StandardWebhooksProof(secrets=secrets(*KEYS)))
        proven = await accepted(made, request(body, **headers), SENT)
        assert (proven.replay, proven.remember) == (name, 259_200_000)
