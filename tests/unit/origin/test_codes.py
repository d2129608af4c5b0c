"""Each form by itself: what proves, what does not and how that is said, rotation, time, and the delivery's name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from msgspec import structs

from ingest.origin.base import REASONS, Request
from kernel.config import proof as forms
from kernel.config.values import Duration, Secret
from tests.unit.origin.requests import NOW, OTHER, SECRET, accepted, prover, refused, request, secrets

BODY = b'{"alert": "disk full"}'
TIME = str(NOW // 1000)


def code(*parts: bytes, key: str = SECRET, algorithm: str = "sha256") -> bytes:
    """An HMAC of the parts put together."""
    return hmac.new(key.encode(), b"".join(parts), getattr(hashlib, algorithm)).digest()


class Case(NamedTuple):
    """A form, and the headers of a message that proves itself with SECRET at NOW."""

    proof: type[forms.VendorProof]
    options: dict[str, object]
    headers: dict[str, str]
    names: bool


def case(proof: type[forms.VendorProof], headers: dict[str, str], names: bool = False, **options: object) -> Case:
    return Case(proof, options, headers, names)


CASES = {
    "pagerduty": case(
        forms.PagerDutyProof,
        {"x-pagerduty-signature": f"v1={code(BODY).hex()}", "x-webhook-id": "delivery-1"},
        names=True,
    ),
    "slack": case(
        forms.SlackProof,
        {"x-slack-signature": f"v0={code(f'v0:{TIME}:'.encode(), BODY).hex()}", "x-slack-request-timestamp": TIME},
        names=True,
    ),
    "grafana": case(forms.GrafanaProof, {"x-grafana-alerting-signature": code(BODY).hex()}),
    "grafana with a time": case(
        forms.GrafanaProof,
        {"x-sig": code(f"{TIME}:".encode(), BODY).hex(), "x-time": TIME},
        names=True,
        header="X-Sig",
        timestamp_header="X-Time",
    ),
    "zendesk": case(
        forms.ZendeskProof,
        {
            "x-zendesk-webhook-signature": base64.b64encode(code(b"2025-11-23T03:53:20Z", BODY)).decode(),
            "x-zendesk-webhook-signature-timestamp": "2025-11-23T03:53:20Z",
        },
        names=True,
    ),
    "github": case(
        forms.GitHubProof,
        {
            "x-hub-signature-256": f"sha256={code(BODY).hex()}",
            "x-github-delivery": "72d3162e-cc78-11e3-81ab",
        },
        names=True,
    ),
    "sentry": case(forms.SentryProof, {"sentry-hook-signature": code(BODY).hex()}),
    "hmac": case(forms.HmacProof, {"x-code": code(BODY).hex()}, header="X-Code"),
    "hmac in base64 by sha512": case(
        forms.HmacProof,
        {"x-code": "mac " + base64.b64encode(code(BODY, algorithm="sha512")).decode()},
        header="X-Code",
        algorithm=forms.Algorithm.SHA512,
        encoding=forms.Encoding.BASE64,
        prefix="mac ",
    ),
    "hmac with a time in milliseconds": case(
        forms.HmacProof,
        {"x-code": code(f"{NOW}.".encode(), BODY, algorithm="sha1").hex(), "x-time": str(NOW)},
        names=True,
        header="X-Code",
        algorithm=forms.Algorithm.SHA1,
        timestamp_header="X-Time",
    ),
}


@pytest.fixture(params=CASES)
def form(request: pytest.FixtureRequest) -> Case:
    """Each form in turn."""
    return CASES[request.param]


def made(form: Case, *values: str) -> forms.VendorProof:
    return form.proof(secrets=secrets(*(values or (SECRET,))), **form.options)  # type: ignore[arg-type]


def sent(form: Case, changes: Mapping[str, str | None] | None = None, body: bytes = BODY) -> Request:
    """Its message, with some headers changed or (None) left out."""
    headers: dict[str, str | None] = {**form.headers, **(changes or {})}
    return request(body, **{name: value for name, value in headers.items() if value is not None})


async def test_the_form_proves_its_own(form: Case) -> None:
    proven = await accepted(prover(made(form)), sent(form))
    assert bool(proven.replay) is form.names
    assert bool(proven.remember) is form.names
    assert abs(proven.skew or 0) < 1_000


async def test_another_body_secret_or_code_is_forbidden(form: Case) -> None:
    first = next(iter(form.headers))
    for error in (
        await refused(prover(made(form)), sent(form, body=BODY + b"\n")),
        await refused(prover(made(form)), sent(form, body=b"")),
        await refused(prover(made(form, OTHER)), sent(form)),
        await refused(prover(made(form)), sent(form, {first: form.headers[first] + "0"})),
        await refused(prover(made(form)), sent(form, {first: "\u00e9\u4e16"})),
    ):
        assert (error.status, error.reason) == (403, "signature")
        assert SECRET not in error.sentence
        assert OTHER not in error.sentence


async def test_hex_may_be_in_capitals_and_base64_may_not() -> None:
    github, zendesk = CASES["github"], CASES["zendesk"]
    upper = "sha256=" + code(BODY).hex().upper()
    await accepted(prover(made(github)), sent(github, {"x-hub-signature-256": upper}))
    upper = zendesk.headers["x-zendesk-webhook-signature"].swapcase()
    assert (await refused(prover(made(zendesk)), sent(zendesk, {"x-zendesk-webhook-signature": upper}))).status == 403


async def test_without_its_headers_a_request_is_asked_for_them(form: Case) -> None:
    unsigned = {"x-webhook-id", "x-github-delivery"}
    for name in form.headers.keys() - unsigned:
        for value in (None, ""):
            error = await refused(prover(made(form)), sent(form, {name: value}))
            assert (error.status, error.reason) == (401, "unauthorised")
            assert name in error.sentence
            assert dict(error.headers)[b"www-authenticate"].startswith(b"Signature ")
    assert (await refused(prover(made(form)), request(BODY))).status == 401


async def test_either_of_two_secrets_proves_while_one_is_exchanged(form: Case) -> None:
    names = {
        (await accepted(prover(made(form, *values)), sent(form))).replay
        for values in ((SECRET,), (SECRET, OTHER), (OTHER, SECRET))
    }
    assert len(names) == 1, "the exchange does not make an old delivery a new one"
    assert (await refused(prover(made(form, OTHER, OTHER + "!")), sent(form))).status == 403


@pytest.mark.parametrize("name", ["slack", "grafana with a time", "zendesk", "hmac with a time in milliseconds"])
async def test_a_time_too_far_off_is_stale_and_a_captured_message_too(name: str) -> None:
    form = CASES[name]
    made_ = prover(made(form))
    for off in (-300_000, 299_000):
        proven = await accepted(made_, sent(form), NOW + off)
        assert abs((proven.skew or 0) - off) < 1_000
        assert proven.remember >= 300_000 - off, "as long as its time lets it pass"
    for off in (-301_000, 301_000, 10**15):
        error = await refused(made_, sent(form), NOW + off)
        assert (error.status, error.reason) == (403, "stale")
        assert "clocks" in error.sentence
        assert error.skew is not None
        assert abs(error.skew - off) < 1_000
    short = structs.replace(made(form), window=Duration(10_000))
    assert (await refused(prover(short), sent(form), NOW + 12_000)).reason == "stale"


@pytest.mark.parametrize(
    "time",
    ["now", "1e9", "-5", "1763870000.5", "2025-11-23T03:53:20", "\u0661\u0662", "9" * 60, "2025-11-23T03:53:20+25:00"],
)
async def test_a_signed_time_that_is_none_is_malformed(time: str) -> None:
    signed = code(time.encode(), b".", BODY).hex()
    proof = forms.HmacProof(secrets=secrets(SECRET), header="X-Code", timestamp_header="X-Time")
    error = await refused(prover(proof), request(BODY, x_code=signed, x_time=time))
    assert (error.status, error.reason) == (400, "malformed")


async def test_any_of_several_signatures_proves() -> None:
    form = CASES["pagerduty"]
    right, wrong = form.headers["x-pagerduty-signature"], "v1=" + "0" * 64
    for value in (f"{wrong},{right}", f"{right},{wrong}", f"{wrong}, {right}", f"v2=zz,{right},v1="):
        await accepted(prover(made(form)), sent(form, {"x-pagerduty-signature": value}))
    for value in (f"{wrong},{wrong}", "v1=", right.removeprefix("v1="), right.replace("v1", "v2"), ",,,"):
        error = await refused(prover(made(form)), sent(form, {"x-pagerduty-signature": value}))
        assert (error.status, error.reason) == (403, "signature")
    many = ",".join([wrong] * 16 + [right])
    assert (await refused(prover(made(form)), sent(form, {"x-pagerduty-signature": many}))).status == 400


async def test_an_id_that_is_not_signed_does_not_make_a_captured_body_new() -> None:
    for name, header in (("pagerduty", "x-webhook-id"), ("github", "x-github-delivery")):
        form = CASES[name]
        first = set((await accepted(prover(made(form)), sent(form))).replay.split())
        changed = set((await accepted(prover(made(form)), sent(form, {header: "other"}))).replay.split())
        without = set((await accepted(prover(made(form)), sent(form, {header: None}))).replay.split())
        assert form.headers[header] in first
        assert "other" in changed
        assert first & changed == without


@pytest.mark.parametrize("name", ["a b", "a\u00e9", "x" * 201, "a\tb"])
async def test_an_id_that_is_no_id_is_malformed(name: str) -> None:
    form = CASES["github"]
    error = await refused(prover(made(form)), sent(form, {"x-github-delivery": name}))
    assert (error.status, error.reason) == (400, "malformed")


async def test_a_large_body_is_signed_off_the_loop() -> None:
    body = b"x" * 3_000_000
    made_ = prover(forms.SentryProof(secrets=secrets(SECRET)))
    await accepted(made_, request(body, sentry_hook_signature=code(body).hex()))
    assert (await refused(made_, request(body[1:], sentry_hook_signature=code(body).hex()))).status == 403


@pytest.mark.parametrize(
    ("given", "good"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer   {SECRET} ", True),
        ("Basic " + base64.b64encode(f"anybody:{OTHER}".encode()).decode(), True),
        (f"Bearer {SECRET}x", False),
        (SECRET, False),
        ("Basic !", False),
        ("Basic " + base64.b64encode(SECRET.encode()).decode(), False),
        ("Bearer", False),
        ("", False),
    ],
)
async def test_tokens(given: str, good: bool) -> None:
    made_ = prover(forms.TokenProof(secrets=secrets(SECRET, OTHER)))
    if good:
        assert (await accepted(made_, request(authorization=given))).replay == ""
        return
    error = await refused(made_, request(authorization=given))
    assert (error.status, error.reason) == (401, "unauthorised")
    assert [name for name, _ in error.headers] == [b"www-authenticate"] * 2


async def test_a_secret_in_a_header_behind_its_prefix() -> None:
    proof = forms.HeaderProof(secrets=secrets(SECRET, OTHER), header="Authorization", prefix="GenieKey ")
    for value in (SECRET, OTHER):
        await accepted(prover(proof), request(authorization=f"GenieKey {value}"))
    for value in (SECRET, f"GenieKey {SECRET}!", "GenieKey ", ""):
        error = await refused(prover(proof), request(authorization=value))
        assert (error.status, error.reason) == (401, "unauthorised")
        assert "authorization" in error.sentence
    assert (await refused(prover(proof), request(x_other=SECRET))).status == 401


def test_no_secret_is_shown_by_a_prover(form: Case) -> None:
    assert SECRET not in repr(prover(made(form)))
    assert SECRET not in repr(made(form))
    assert isinstance(made(form).secrets[0], Secret)
    assert len(set(REASONS)) == len(REASONS)
