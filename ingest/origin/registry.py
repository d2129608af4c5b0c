"""From a source's configuration to what proves its messages."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.origin import schemes
from ingest.origin.base import NotProven, Proven, Prover, Request
from ingest.origin.certificates import Certificates
from ingest.origin.codes import Codes
from ingest.origin.sns import Sns
from ingest.origin.times import Skews
from ingest.origin.tokens import Elsewhere, SecretHeader, Token
from kernel.clock import Millis
from kernel.config import proof as forms
from kernel.config.schema import SourceConfig
from kernel.config.values import Secret


def prover_for(
    source_name: str, settings: SourceConfig, certificates: Certificates, skews: Skews | None = None
) -> Prover | None:
    """What proves the messages of this source; None where its door is open (neither `token` nor `proof`).

    `skews` is told how far the senders' clocks are off. Raises ValueError for secrets of a wrong form, which a
    configuration that was checked does not have.
    """
    proof = settings.proof
    if proof is None:
        return None if settings.token is None else Token(source_name, _keys([settings.token]))
    made = _prover(source_name, proof, certificates)
    return made if skews is None else _Watched(source_name, made, skews)


def _prover(source: str, proof: forms.ProofConfig, certificates: Certificates) -> Prover:
    match proof:
        case forms.SnsProof():
            return Sns(source, proof.topics, proof.window, certificates)
        case forms.TokenProof():
            return Token(source, _keys(proof.secrets))
        case forms.HeaderProof():
            return SecretHeader(source, proof.header.lower(), proof.prefix.encode(), _keys(proof.secrets))
        case forms.RoutingKeyProof():
            return Elsewhere(source)
        case forms.StandardWebhooksProof():
            keys = [forms.standard_key(secret) for secret in proof.secrets]
            return Codes(source, schemes.STANDARD_WEBHOOKS, keys, proof.window, proof.remember)
        case _:
            return _vendors(source, proof)


def _vendors(source: str, proof: forms.VendorProof) -> Codes:
    keys = _keys(proof.secrets)
    match proof:
        case forms.PagerDutyProof():
            return Codes(source, schemes.PAGERDUTY, keys, remember=proof.remember)
        case forms.GitHubProof():
            return Codes(source, schemes.GITHUB, keys, remember=proof.remember)
        case forms.SentryProof():
            return Codes(source, schemes.SENTRY, keys)
        case forms.SlackProof():
            return Codes(source, schemes.SLACK, keys, proof.window)
        case forms.ZendeskProof():
            return Codes(source, schemes.ZENDESK, keys, proof.window)
        case forms.GrafanaProof():
            return Codes(source, schemes.grafana(proof), keys, proof.window)
        case forms.HmacProof():
            return Codes(source, schemes.generic(proof), keys, proof.window)


def _keys(secrets: Sequence[Secret]) -> list[bytes]:
    return [secret.reveal().encode() for secret in secrets]


class _Watched:
    """A prover whose skews are told, of proven messages and of those that only their time excludes."""

    def __init__(self, source: str, inner: Prover, skews: Skews) -> None:
        self._source = source
        self._inner = inner
        self._skews = skews

    async def check(self, request: Request, now: Millis) -> Proven:
        """As the inner one."""
        try:
            proven = await self._inner.check(request, now)
        except NotProven as error:
            self._saw(error.skew, now)
            raise
        self._saw(proven.skew, now)
        return proven

    def _saw(self, skew: Millis | None, now: Millis) -> None:
        if skew is not None:
            self._skews.saw(self._source, skew, now)
