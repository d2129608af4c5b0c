"""The proof of a source in YAML: every form, and what is said of one that cannot stand."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from ingest.origin.certificates import Certificates
from ingest.origin.registry import prover_for
from kernel.config.check_proof import form_of
from kernel.config.load import ConfigError, Loaded, load
from kernel.config.proof import ProofConfig
from kernel.config.values import Duration

ADAPTERS = ("prometheus", "grafana", "pagerduty", "cloudwatch", "slack", "generic")
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ENVIRON = {"A": "first", "B": "second", "KEY": KEY, "BAD": "whsec_c2hvcnQ="}
ONE = "secrets: [{env: A}]"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"

GOOD = {
    "token": ONE,
    "header": f"header: X-Key, {ONE}",
    "pagerduty": "secrets: [{env: A}, {env: B}], remember: 3d",
    "slack": f"{ONE}, window: 1m",
    "grafana": f"{ONE}, timestamp_header: X-Time",
    "zendesk": ONE,
    "github": ONE,
    "sentry": ONE,
    "standard-webhooks": "secrets: [{env: KEY}]",
    "hmac": f"{ONE}, header: X-Code, algorithm: sha512, encoding: base64, prefix: 'mac ', timestamp_header: X-Time",
    "sns": f"topics: ['{TOPIC}', '{TOPIC}.fifo']",
}


def read(tmp_path: Path, source: str, name: str = "s", secrets: bool = True) -> Loaded:
    (tmp_path / "a.yaml").write_text(f"sources:\n  {name}:\n    {source}\n", encoding="utf-8")
    return load(tmp_path, ENVIRON, adapters=ADAPTERS, secrets=secrets)


def problems(tmp_path: Path, source: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{{adapter: generic, {source}}}")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("form", GOOD)
def test_every_form_is_read_and_can_prove(tmp_path: Path, form: str) -> None:
    source = read(tmp_path, f"{{adapter: generic, proof: {{type: {form}, {GOOD[form]}}}}}").config.sources["s"]
    assert source.proof is not None
    assert form_of(source.proof) == form
    assert prover_for("s", source, Certificates()) is not None


def test_every_form_is_among_these() -> None:
    """But `routing-key`: it opens the drop-in doors, and is tested with them."""
    assert {kind.__struct_config__.tag for kind in get_args(ProofConfig)} - {"routing-key"} == GOOD.keys()


def test_the_documentation_names_every_form_with_its_fields(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "proof-of-origin.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in text.split("## Forms")[1].split("\n\n")[1].splitlines()[2:]}
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(ProofConfig)}
    assert rows.keys() == kinds.keys()
    for form, kind in kinds.items():
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in rows[form] or field.name == "secrets", (form, field.name)
            if isinstance(field.default, Duration):
                assert f"`{field.name}` ({field.default})" in rows[form], (form, field.name)
    (tmp_path / "a.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    load(tmp_path, {}, secrets=False)


def test_secrets_need_not_be_there_to_be_checked(tmp_path: Path) -> None:
    read(tmp_path, "{adapter: generic, proof: {type: standard-webhooks, secrets: [{env: ELSEWHERE}]}}", secrets=False)


@pytest.mark.parametrize(
    ("proof", "line"),
    [
        ("{type: slak, secrets: [{env: A}]}", "'slak' is no type of sources.s.proof; did you mean 'slack'?"),
        ("{type: slack}", "sources.s.proof lacks the field 'secrets'"),
        ("{type: slack, secrets: []}", "no secret is named; write secrets: [{env: NAME}]"),
        ("{type: slack, secrets: [plain]}", "a secret is written {env: NAME} or {file: PATH}"),
        ("{type: slack, secrets: [{env: A}, {env: B}, {env: KEY}]}", "3 secrets are active"),
        ("{type: slack, secrets: [{env: A}], window: 2h}", "window is 2h; write 1s to 1h"),
        ("{type: github, secrets: [{env: A}], remember: 0s}", "remember is 0s; write 1s to 30d"),
        ("{type: header, header: 'X Key', secrets: [{env: A}]}", "'X Key' is not the name of a header"),
        ("{type: hmac, header: X, timestamp_header: '', secrets: [{env: A}]}", "'' is not the name of a header"),
        ("{type: hmac, header: X, algorithm: md5, secrets: [{env: A}]}", "sources.s.proof.algorithm is 'md5'"),
        ("{type: standard-webhooks, secrets: [{env: BAD}]}", "env:BAD must be whsec_ and the base64 of 24 to 64 bytes"),
        ("{type: standard-webhooks, secrets: [{env: A}]}", "env:A must be whsec_"),
        ("{type: sns, topics: []}", "no topic is named"),
        ("{type: sns}", "sources.s.proof lacks the field 'topics'"),
        ("{type: sns, topics: ['*']}", "'*' is not the ARN of a topic; write arn:aws:sns:REGION:ACCOUNT:NAME"),
        ("{type: sns, topics: ['arn:aws:sns:s3:123456789012:x']}", "is not the ARN of a topic"),
    ],
)
def test_what_cannot_stand(tmp_path: Path, proof: str, line: str) -> None:
    found = problems(tmp_path, f"proof: {proof}")
    assert any(line in one for one in found), found
    assert not any(value in one for one in found for value in ("c2hvcnQ", "first", "second"))


def test_token_and_proof_are_one_too_many(tmp_path: Path) -> None:
    found = problems(tmp_path, "token: {env: A}, proof: {type: slack, secrets: [{env: B}]}")
    assert len(found) == 1
    assert found[0].startswith("a.yaml:3: the source has both token and proof; write one of them")


@pytest.mark.parametrize(
    ("name", "source", "warning"),
    [
        ("grafana", "{}", "anybody may post alerts as 'grafana': the source has no token and no proof"),
        ("slack", "{channels: [C024BE91L]}", "write proof: {type: slack, secrets: [{env: SLACK_SECRET}]}"),
        ("generic", "{}", "write token: {env: GENERIC_TOKEN} or a proof"),
        ("cloudwatch", "{}", "write proof: {type: sns, topics: [ARN]}, or token"),
        ("prometheus", f"{{proof: {{type: slack, {ONE}}}}}", "whose vendor does not sign as 'slack' says; slack fits"),
        ("pagerduty", f"{{proof: {{type: sns, topics: ['{TOPIC}']}}}}", "sns fits cloudwatch and aws_deployments"),
        ("grafana", f"{{proof: {{type: grafana, {ONE}}}}}", "its signature holds no time; set timestamp_header"),
        ("generic", f"{{proof: {{type: hmac, header: X, {ONE}}}}}", "its signature holds no time"),
        ("grafana", f"{{proof: {{type: grafana, {ONE}, timestamp_header: X-Time}}}}", ""),
        ("generic", f"{{proof: {{type: pagerduty, {ONE}}}}}", ""),
        ("cloudwatch", f"{{proof: {{type: sns, topics: ['{TOPIC}']}}}}", ""),
        ("grafana", "{token: {env: A}}", ""),
    ],
)
def test_what_is_rarely_meant(tmp_path: Path, name: str, source: str, warning: str) -> None:
    found = [str(one) for one in read(tmp_path, source, name).warnings if "source" in one.what]
    assert any(warning in one for one in found) if warning else not found, found
