"""A configuration directory: what is accepted, and what is said of what is not."""

import textwrap
from pathlib import Path

import pytest

from kernel.config.load import ConfigError, Loaded, load
from kernel.config.schema import Console, PagerDuty, Webhook
from kernel.model.alert import Severity
from kernel.model.incident import Level

ADAPTERS = ("prometheus", "grafana", "generic")

GOOD = """
sources:
  prometheus:
  grafana:
    token: {env: GRAFANA_TOKEN}
    severities: {page: critical}
teams:
  sre:
    page: [pager]
    notify: [screen]
channels:
  screen: {type: console}
  pager:
    type: pagerduty
    routing_key: {env: PD_KEY}
services:
  checkout: {tier: 1, team: sre}
rules:
  - name: per service
    match: [service!=""]
    group_by: [service]
    window: 15m
    impact: [region]
routes:
  - team: sre
"""
ENVIRON = {"GRAFANA_TOKEN": "g" * 20, "PD_KEY": "k" * 32}


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return directory


def title(text: str) -> None:
    if text == "{{":
        raise ValueError("the title is not a template")


def read(tmp_path: Path, **files: str) -> Loaded:
    return load(write(tmp_path, **files), ENVIRON, adapters=ADAPTERS, title=title)


def problems(tmp_path: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **files)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    return lines


def test_a_good_configuration(tmp_path: Path) -> None:
    loaded = read(tmp_path, main=GOOD)
    config = loaded.config
    assert list(config.sources) == ["prometheus", "grafana"]
    assert config.sources["grafana"].severities == {"page": Severity.CRITICAL}
    assert config.rules[0].window == 900_000
    assert config.rules[0].cap == 86_400_000
    assert config.services["checkout"].tier == 1
    assert isinstance(config.channels["screen"], Console)
    pager = config.channels["pager"]
    assert isinstance(pager, PagerDuty)
    assert pager.routing_key.reveal() == "k" * 32
    assert config.priority.impact_words["region"] is Level.HIGH
    assert loaded.files == ("main.yaml",)


def test_secrets_are_in_no_text_of_it(tmp_path: Path) -> None:
    loaded = read(tmp_path, main=GOOD)
    assert "k" * 32 not in repr(loaded)
    assert "g" * 20 not in repr(loaded)


def test_secrets_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    write(tmp_path, main="channels: {hook: {type: webhook, url: 'https://example.com/', secret: {file: hook.key}}}")
    (tmp_path / "hook.key").write_text("abc\n")
    channel = load(tmp_path, {}).config.channels["hook"]
    assert isinstance(channel, Webhook)
    assert channel.secret is not None
    assert channel.secret.reveal() == "abc"


def test_secrets_may_stay_unread(tmp_path: Path) -> None:
    write(tmp_path, main=GOOD)
    with pytest.raises(ConfigError, match="PD_KEY is not set"):
        load(tmp_path, {})
    assert load(tmp_path, {}, secrets=False).config.rules[0].name == "per service"
    write(tmp_path, main=GOOD.replace("{env: PD_KEY}", "plainly-written"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, secrets=False)
    assert "main.yaml:14: channels.pager.routing_key: a secret is written {env: NAME}" in str(caught.value)
    assert "plainly" not in str(caught.value)


def test_files_are_joined_in_the_order_of_their_names(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        b="rules: [{name: second}]\nsources: {grafana: {}}\npriority: {many_hosts: 5}",
        a="rules: [{name: first}]\nsources: {prometheus: {}}\npriority: {many_services: 2}",
        c="",
    )
    assert [rule.name for rule in loaded.config.rules] == ["first", "second"]
    assert list(loaded.config.sources) == ["prometheus", "grafana"]
    assert (loaded.config.priority.many_hosts, loaded.config.priority.many_services) == (5, 2)


def test_tests_of_rules_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, main=GOOD, rules_test="this: [is, not, configuration]")
    (tmp_path / ".hidden.yaml").write_text("nor: this")
    (tmp_path / "notes.txt").write_text("nor: this")
    assert load(tmp_path, ENVIRON).files == ("main.yaml",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rulez: []", "a.yaml:1: there is no section 'rulez'; did you mean 'rules'?"),
        ("rules:\n- name: x\n  windw: 5m", "a.yaml:3: rules[0] has no field 'windw'; did you mean 'window'?"),
        ("rules:\n- window: 5m", "a.yaml:2: rules[0] lacks the field 'name'; write name: ..."),
        (
            "rules:\n- name: x\n  window: 5 minutes",
            "a.yaml:3: rules[0].window: '5 minutes' is not a duration; write a number and a unit, such as 30s, 10m",
        ),
        ("rules:\n- name: x\n  size: many", "a.yaml:3: rules[0].size is 'many'; write a whole number"),
        ("rules:\n- name: x\n  size: 0", "a.yaml:3: size is 0; write 1 to 10000"),
        ("rules:\n- name: x\n  size: 10001", "a.yaml:3: size is 10001; write 1 to 10000"),
        ("rules:\n- name: x\n  match: env=prod", "a.yaml:3: rules[0].match is a single value; write [env=prod]"),
        ("rules:\n- name: x\n  match:\n", "a.yaml:3: rules[0].match is a single value; write a list"),
        (
            "rules:\n- name: x\n  match:\n  - a=b\n  - env",
            "a.yaml:5: 'env' is not a matcher; write label=\"value\"",
        ),
        ("rules:\n- name: x\n  match: ['a=~\"(\"']", "a.yaml:3: 'a=~\"(\"': the pattern is not a regular expression"),
        ("rules:\n- {name: x}\n- {name: x}", "a.yaml:3: two rules are named 'x', the first at a.yaml:2; rename one"),
        ("rules:\n- {name: x, window: 2h, cap: 1h}", "a.yaml:2: window 2h is longer than cap 1h; make cap at least"),
        ("rules:\n- {name: x, impact: [hole_site]}", "a.yaml:2: 'hole_site' is not a word of impact; did you mean"),
        ("rules:\n- {name: x, group_by: ['a b']}", "a.yaml:2: 'a b' is not the name of a label"),
        ("rules:\n- {name: x, team: sre}", "a.yaml:2: there is no team 'sre'; none is defined yet"),
        ("rules:\n- {name: unmatched}", "a.yaml:2: 'unmatched' is the name of what no rule matches; name it otherwise"),
        ("rules:\n- {name: x, title: '{{'}", "a.yaml:2: the title is not a template; correct the template"),
        ("rules: {name: x}", "a.yaml:1: rules is a mapping; write a list"),
        ("routes:\n- team: sra\nteams: {sre: {page: [c]}}\nchannels: {c: {type: console}}", "did you mean 'sre'?"),
        ("services:\n  api: {tier: 4}", "a.yaml:2: tier is 4; write 1 to 3"),
        ("services:\n  api: {tier: '1'}", "a.yaml:2: services.api.tier is '1'; write a whole number"),
        ("services:\n  api: {team: nobody}", "a.yaml:2: there is no team 'nobody'; none is defined yet"),
        ("services: {api: {team: 12}}", "services.api.team is '12', which YAML does not read as text; put it in"),
        ("services: {no: {}}", "a.yaml:1: 'no' is not a name; put it in quotes"),
        ("teams: {sre: {page: [pager]}}", "a.yaml:1: there is no channel 'pager'; none is defined yet"),
        ("teams: {sre: {page: []}}", "a.yaml:1: the team 'sre' has nobody to page; write page: [CHANNEL]"),
        ("teams: {sre: {notify: []}}", "a.yaml:1: teams.sre lacks the field 'page'; write page: ..."),
        ("teams: [sre]", "a.yaml:1: teams is a list; write a mapping"),
        (
            "sources: {homegrown: {}}",
            "a.yaml:1: the source 'homegrown' has no adapter 'homegrown'; set adapter: write one",
        ),
        (
            "sources: {x: {adapter: grafna}}",
            "has no adapter 'grafna'; set adapter: did you mean 'grafana'?",
        ),
        ("sources: {'a/b': {adapter: generic}}", "a.yaml:1: 'a/b' cannot be the name of a source; use 1 to 63"),
        ("sources: {other: {adapter: generic}}", "a.yaml:1: 'other' stands for unknown sources"),
        ("sources: {grafana: {severities: {page: urgent}}}", "sources.grafana.severities.page is 'urgent'; write one"),
        ("sources: {grafana: {tenant_header: 1}}", "sources.grafana.tenant_header is '1'; write true or false"),
        ("sources: {grafana: {token: {env: NOPE}}}", "the environment variable NOPE is not set; export it"),
        ("sources: {grafana: {token: {file: no.key}}}", "the secret's file no.key cannot be read"),
        (
            "channels:\n  c:\n    type: pagerdooty",
            "a.yaml:3: 'pagerdooty' is no type of channels.c; did you mean 'page",
        ),
        (
            "channels:\n  c:\n    type: slack\n    token: {env: PD_KEY}\n    channel: '#ops'",
            "a.yaml:5: '#ops' is not the id of a Slack channel; write the id that Slack shows",
        ),
        (
            "channels:\n  c:\n    url: x",
            "a.yaml:3: channels.c has no type; write type: console or pagerduty or slack or webhook",
        ),
        ("channels: {c: {type: webhook, url: 'ftp://x/'}}", "a.yaml:1: url is not an address of the web"),
        ("channels: {c: {type: webhook, url: 'https://'}}", "a.yaml:1: url is not an address of the web"),
        ("channels: {c: {type: webhook, url: 'https://h:99999/'}}", "a.yaml:1: url is not an address of the web"),
        ("channels: {c: {type: webhook, url: 'https://me:pw@h/'}}", "a.yaml:1: url holds credentials"),
        ("channels: {c: {type: webhook, url: 'http://127.0.0.1:1/'}}", "127.0.0.1 is a private address; write allow_p"),
        ("channels: {c: {type: webhook, url: 'http://[::1]/'}}", "::1 is a private address"),
        ("channels: {c: {type: webhook, url: 'http://169.254.169.254/'}}", "169.254.169.254 is a private address"),
        ("channels: {c: {type: console, per_minute: 0}}", "a.yaml:1: per_minute is 0; write 1 or more"),
        ("priority: {business_timezone: Mars/Base}", "a.yaml:1: there is no time zone 'Mars/Base'"),
        ("priority: {business_timezone: ../../etc/passwd}", "there is no time zone '../../etc/passwd'"),
        ("priority: {business_hours: always}", "a.yaml:1: 'always' is not business hours; write them as Mon-Fri"),
        (
            "priority: {impact_words: {region: hgih}}",
            "a.yaml:1: priority.impact_words.region is 'hgih'; did you mean 'h",
        ),
        ("priority: {production: [Prod]}", "a.yaml:1: 'Prod' matches no environment; write prod; environments are"),
        ("priority: {many_hosts: 0}", "a.yaml:1: many_hosts is 0; write 1 or more"),
        ("correlation: {lease: 0s}", "a.yaml:1: lease is 0s; write 1s to 1h"),
        (
            "correlation: {lease: 120}",
            "a.yaml:1: correlation.lease: '120' is not a duration; write a number and a unit",
        ),
        (
            "sources:\n  grafana: {}\n  grafana: {}",
            "a.yaml:3: 'grafana' is defined twice in sources, first at a.yaml:2",
        ),
        ("sources: {}\nsources: {}", "a.yaml:2: 'sources' is defined twice in the file, first at a.yaml:1; keep one"),
        ("sources:\n\tgrafana: {}", "a.yaml:2: this is not YAML: while scanning for the next token found character"),
        ("- a\n- b", "a.yaml:1: a file holds sections"),
        ("a: 1\n---\nb: 2", "a.yaml:2: this is not YAML: expected a single document in the stream"),
        ("sources: {}\nteams: {}\n\x07", "a.yaml:3: a control character; delete it"),
        ("[" * 5_000, "a.yaml: this is nested too deeply"),
        ("x: &x {<<: *x}", "a.yaml:1: "),
    ],
)
def test_one_problem(tmp_path: Path, text: str, line: str) -> None:
    found = problems(tmp_path, a=text)
    assert any(line in one for one in found), found


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"sources: {}\nteams: {t\xe9am: {}}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2: this is not UTF-8; save the file as UTF-8"):
        load(tmp_path, {})


def test_a_name_defined_in_two_files_names_both_places(tmp_path: Path) -> None:
    found = problems(tmp_path, a="sources:\n  grafana: {}", b="sources:\n  prometheus: {}\n  grafana: {}")
    assert found == ["b.yaml:3: 'grafana' is defined twice in sources, first at a.yaml:2; keep one of them"]


def test_all_problems_of_all_files_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        rules="""
            rules:
              - name: one
                window: soon
                team: sre
              - window: 5m
                nonsense: 1
              - name: three
                match: ["a=b", "bad matcher"]
                team: sra
            """,
        teams="""
            teams:
              sre: {page: [pager], notify: [screen]}
            channels:
              screen: {type: console, per_minute: none}
            """,
    )
    assert [line.split(": ")[0] for line in found] == [
        "rules.yaml:3",
        "rules.yaml:5",
        "rules.yaml:6",
        "rules.yaml:8",
        "rules.yaml:9",
        "teams.yaml:2",
        "teams.yaml:4",
    ]
    assert "there is no channel 'pager'" in found[5]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load(tmp_path / "nowhere", {})
    with pytest.raises(ConfigError, match=r"there is no \*\.yaml file in this directory"):
        load(tmp_path, {})


def test_warnings(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        a="""
            sources: {prometheus: {}}
            teams: {sre: {page: [c]}}
            channels: {c: {type: console}}
            routes: [{team: sre, match: [service="chekout"]}]
            services: {checkout: {}}
            rules: [{name: all}, {name: later, match: [a=b]}]
            """,
    )
    texts = [str(warning) for warning in loaded.warnings]
    assert any("a.yaml:1: anybody may post alerts as 'prometheus'" in text for text in texts)
    assert any("a.yaml:2: the team 'sre' has no notify channel" in text for text in texts)
    assert any("a.yaml:4: no route takes everything and no service has a team" in text for text in texts)
    assert any("did you mean 'checkout'?" in text for text in texts)
    assert any("rules[1] is never reached" in text for text in texts)
    assert len(texts) == 5


def test_a_route_that_takes_everything_silences_the_owners_of_services(tmp_path: Path) -> None:
    loaded = read(tmp_path, main=GOOD.replace("  prometheus:\n", ""))
    (warning,) = loaded.warnings
    assert "main.yaml:23: routes[0] takes everything, so the teams of services are never asked" in str(warning)


def test_no_warning_where_nothing_is_odd(tmp_path: Path) -> None:
    assert read(tmp_path, main=GOOD.replace("  prometheus:\n", "").replace(", team: sre}", "}")).warnings == ()
