"""How a source proves where its messages come from: `proof:` of a source, one form by `type`.

Each form but `sns` has `secrets`, of which one or two are active: two while a secret is being exchanged. Which bytes
a vendor signs, and under which header, is said in `ingest/origin/`; what to set at the vendor in the documentation.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import StrEnum
from typing import Final

from kernel.config.section import Strict
from kernel.config.values import Duration, Secret

MAX_SECRETS: Final = 2
WINDOW: Final = Duration(300_000)
TWO_DAYS: Final = Duration(172_800_000)
THREE_DAYS: Final = Duration(259_200_000)


class Algorithm(StrEnum):
    """The hash of an HMAC."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class Encoding(StrEnum):
    """How an HMAC is written in its header."""

    HEX = "hex"
    BASE64 = "base64"


class TokenProof(Strict, frozen=True, tag="token", tag_field="type"):
    """A bearer token, or the password of basic authentication with any user."""

    secrets: tuple[Secret, ...]


class HeaderProof(Strict, frozen=True, tag="header", tag_field="type"):
    """A secret in a header, behind `prefix` where there is one (`GenieKey ` for Opsgenie's own clients)."""

    secrets: tuple[Secret, ...]
    header: str
    prefix: str = ""


class PagerDutyProof(Strict, frozen=True, tag="pagerduty", tag_field="type"):
    """PagerDuty webhooks v3. A delivery comes again under its own id for two days at most."""

    secrets: tuple[Secret, ...]
    remember: Duration = TWO_DAYS


class SlackProof(Strict, frozen=True, tag="slack", tag_field="type"):
    """Slack's signing secret, for events, commands and buttons."""

    secrets: tuple[Secret, ...]
    window: Duration = WINDOW


class GrafanaProof(Strict, frozen=True, tag="grafana", tag_field="type"):
    """The HMAC of Grafana's webhook contact point; `header` and `timestamp_header` as they are written there."""

    secrets: tuple[Secret, ...]
    header: str = "X-Grafana-Alerting-Signature"
    timestamp_header: str | None = None
    window: Duration = WINDOW


class ZendeskProof(Strict, frozen=True, tag="zendesk", tag_field="type"):
    """The signing secret of a Zendesk webhook."""

    secrets: tuple[Secret, ...]
    window: Duration = WINDOW


class GitHubProof(Strict, frozen=True, tag="github", tag_field="type"):
    """The secret of a GitHub webhook (SHA-256). A delivery may be sent again under its own id for three days."""

    secrets: tuple[Secret, ...]
    remember: Duration = THREE_DAYS


class SentryProof(Strict, frozen=True, tag="sentry", tag_field="type"):
    """The client secret of a Sentry integration."""

    secrets: tuple[Secret, ...]


class StandardWebhooksProof(Strict, frozen=True, tag="standard-webhooks", tag_field="type"):
    """Standard Webhooks v1, which stormfold's own webhook channel sends too; secrets are `whsec_` and base64."""

    secrets: tuple[Secret, ...]
    window: Duration = WINDOW
    remember: Duration = THREE_DAYS


class HmacProof(Strict, frozen=True, tag="hmac", tag_field="type"):
    """Any HMAC: `prefix` and the code in `header`, over the body, or over timestamp, `separator` and body."""

    secrets: tuple[Secret, ...]
    header: str
    algorithm: Algorithm = Algorithm.SHA256
    encoding: Encoding = Encoding.HEX
    prefix: str = ""
    timestamp_header: str | None = None
    separator: str = "."
    window: Duration = WINDOW


class SnsProof(Strict, frozen=True, tag="sns", tag_field="type"):
    """Amazon SNS, signature versions 1 and 2; only messages of these `topics` (ARNs) are taken."""

    topics: tuple[str, ...]
    window: Duration = Duration(3_600_000)


class RoutingKeyProof(Strict, frozen=True, tag="routing-key", tag_field="type"):
    """The keys of the drop-in doors: a routing key of PagerDuty's Events API v2, or Opsgenie's API key. They say
    which source a request is of, so no two sources of one adapter have the same.
    """

    secrets: tuple[Secret, ...]


VendorProof = PagerDutyProof | SlackProof | GrafanaProof | ZendeskProof | GitHubProof | SentryProof | HmacProof
SecretProof = TokenProof | HeaderProof | StandardWebhooksProof | VendorProof
ProofConfig = SecretProof | SnsProof | RoutingKeyProof

# What PagerDuty asks of a routing key; its clients may check it before they send.
ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")

# The region is spelled out: `sns.s3.amazonaws.com` is a bucket that anybody may have made.
REGION: Final = r"[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]{1,2}"
TOPIC: Final = re.compile(rf"arn:(aws|aws-cn|aws-us-gov):sns:({REGION}):[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}(?:\.fifo)?")


def standard_key(secret: Secret) -> bytes:
    """The key of a Standard Webhooks secret: `whsec_` and the base64 of 24 to 64 bytes.

    Raises ValueError with what would be right; the message does not repeat the secret.
    """
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(f"the secret in {secret.place} must be whsec_ and the base64 of 24 to 64 bytes")
    return key
