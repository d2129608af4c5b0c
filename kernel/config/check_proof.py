"""What is wrong, and what is allowed but rarely meant, in the `proof` of a source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kernel.config import proof as forms
from kernel.config.nodes import Path_
from kernel.config.schema import SourceConfig
from kernel.config.values import Duration

Finding = tuple[Path_, str, str]
"""Where below the source, what is wrong, what to write."""

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_SECOND: Final = Duration(1_000)
_HOUR: Final = Duration(3_600_000)
_MONTH: Final = Duration(2_592_000_000)

# The adapters whose vendor signs in this form, and others of which it is known that theirs does not.
_VENDORS: Final[dict[str, tuple[str, ...]]] = {
    "pagerduty": ("pagerduty",),
    "slack": ("slack",),
    "grafana": ("grafana",),
    "zendesk": ("zendesk",),
    "github": ("github",),
    "sentry": ("sentry",),
    "sns": ("cloudwatch", "aws_deployments"),
}
_DROP_INS: Final = ("pagerduty", "opsgenie")
_OTHERS: Final = frozenset(
    {name for names in _VENDORS.values() for name in names}
    | {"alertmanager", "prometheus", "datadog", "opsgenie", "argocd", "flux", "newrelic", "zabbix", "nagios", "icinga"}
)


def form_of(proof: forms.ProofConfig) -> str:
    """The word of `type`."""
    return str(proof.__struct_config__.tag)


def problems_of(name: str, source: SourceConfig) -> Iterator[Finding]:
    """What no single value shows. Secrets that were not read are not judged."""
    proof = source.proof
    if proof is None:
        return
    if source.token is not None:
        yield (
            ("token",),
            "the source has both token and proof",
            "write one of them; `token` is the short form of a proof",
        )
    if isinstance(proof, forms.SnsProof):
        yield from _topics(proof)
    else:
        yield from _secrets(proof)
    if isinstance(proof, forms.RoutingKeyProof):
        yield from _routing_keys(proof, source.adapter or name)
    for part in ("header", "timestamp_header"):
        value = getattr(proof, part, None)
        if value is not None and not _HEADER.fullmatch(value):
            yield ("proof", part), f"{value!r} is not the name of a header", "write the header's name alone"
    for part, high in (("window", _HOUR), ("remember", _MONTH)):
        span = getattr(proof, part, None)
        if span is not None and not _SECOND <= span <= high:
            yield ("proof", part), f"{part} is {span}", f"write {_SECOND} to {high}"


def _topics(proof: forms.SnsProof) -> Iterator[Finding]:
    if not proof.topics:
        what = "no topic is named: everybody can have Amazon sign a message of a topic of his own"
        yield ("proof", "topics"), what, "write topics: [arn:aws:sns:REGION:ACCOUNT:NAME]"
    for index, topic in enumerate(proof.topics):
        if not forms.TOPIC.fullmatch(topic):
            hint = "write arn:aws:sns:REGION:ACCOUNT:NAME"
            yield ("proof", "topics", index), f"{topic!r} is not the ARN of a topic", hint


def _routing_keys(proof: forms.RoutingKeyProof, adapter: str) -> Iterator[Finding]:
    if adapter not in _DROP_INS:
        what = f"routing keys open the drop-in doors, and the adapter {adapter!r} has none"
        yield ("proof",), what, f"set adapter: {' or '.join(_DROP_INS)}, or another type of proof"
    for index, secret in enumerate(proof.secrets):
        key = secret.reveal()
        if adapter == "pagerduty" and key and not forms.ROUTING_KEY.fullmatch(key):
            what = f"the routing key in {secret.place} is not one of PagerDuty's form"
            yield ("proof", "secrets", index), what, "a routing key has 32 letters and digits"


def shared_keys(sources: Mapping[str, SourceConfig]) -> Iterator[Finding]:
    """Routing keys that name two sources of one adapter; the place begins with the source."""
    first: dict[tuple[str, str], str] = {}
    for name, source in sources.items():
        if not isinstance(source.proof, forms.RoutingKeyProof):
            continue
        for index, secret in enumerate(source.proof.secrets):
            owner = first.setdefault((source.adapter or name, secret.reveal()), name)
            if owner != name and secret.reveal():
                what = f"the source {owner!r} has the same routing key, so it does not say whose a request is"
                yield (name, "proof", "secrets", index), what, "give each source a key of its own"


def _secrets(proof: forms.SecretProof | forms.RoutingKeyProof) -> Iterator[Finding]:
    count = len(proof.secrets)
    if not count:
        yield ("proof", "secrets"), "no secret is named", "write secrets: [{env: NAME}]"
    if count > forms.MAX_SECRETS:
        what = f"{count} secrets are active; while one is exchanged there are {forms.MAX_SECRETS}"
        yield ("proof", "secrets"), what, "take out those that no sender uses any more"
    if isinstance(proof, forms.StandardWebhooksProof):
        for index, secret in enumerate(proof.secrets):
            if not secret.reveal():
                continue
            try:
                forms.standard_key(secret)
            except ValueError as error:
                yield ("proof", "secrets", index), str(error), "copy the whole secret as the sender shows it"


def oddities_of(name: str, source: SourceConfig) -> Iterator[Finding]:
    """What is allowed but rarely meant."""
    proof = source.proof
    if proof is None:
        if source.token is None:
            word = re.sub("[^A-Z0-9]", "_", name.upper())
            signs = next((form for form, names in _VENDORS.items() if (source.adapter or name) in names), None)
            if signs == "sns":
                hint = "write proof: {type: sns, topics: [ARN]}, or token: {env: ...} where it is not SNS that posts"
            elif signs is not None:
                hint = f"write proof: {{type: {signs}, secrets: [{{env: {word}_SECRET}}]}}"
            else:
                hint = f"write token: {{env: {word}_TOKEN}} or a proof"
            yield (), f"anybody may post alerts as {name!r}: the source has no token and no proof", hint
        return
    form, adapter = form_of(proof), source.adapter or name
    fits = _VENDORS.get(form)
    if fits is not None and adapter in _OTHERS and adapter not in fits:
        what = f"the source {name!r} is read by the adapter {adapter!r}, whose vendor does not sign as {form!r} says"
        yield ("proof",), what, f"{form} fits {' and '.join(fits)}"
    if isinstance(proof, forms.GrafanaProof | forms.HmacProof) and proof.timestamp_header is None:
        what = f"the source {name!r} cannot tell a captured message that is sent again: its signature holds no time"
        yield ("proof",), what, "set timestamp_header here and at the sender, if it has one"
