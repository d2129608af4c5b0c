"""What the YAML files of a configuration directory may say. Unknown fields are refused.

Every file may hold any of the top-level sections of `Config`; lists of several files are joined in the order
of their names. Durations are written `10m`, secrets `{env: NAME}` or `{file: PATH}`.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import field

from kernel.config.heartbeat import CanaryConfig, HeartbeatConfig
from kernel.config.mapping import MappingConfig
from kernel.config.proof import ProofConfig
from kernel.config.section import Strict
from kernel.config.values import Duration, Secret
from kernel.model.alert import Severity
from kernel.model.incident import Level


class LogSeverity(StrEnum):
    """Names of severities of logs, as OpenTelemetry has them."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


class SourceConfig(Strict, frozen=True):
    """A source of alerts. `adapter` names the adapter (default: the source's own name).

    `token` is what the gateway asks for (bearer, or basic with any user), the short form of `proof` of type `token`;
    `proof` is how else a message proves its origin. Without either the door of this source is open, which
    `stormfold check` points out. `repeat_interval` is how often the sender repeats a firing alert
    (Alertmanager's setting of that name); `identity` overrides the label names that identify an alert.
    `tenant_header` lets a record put straight on Kafka name its tenant. `share` is the weight of this source beside
    the others of its tenant where there is not room for all of them at the gateway. Of Slack: `channels` are the ids of
    those whose messages are reports (none: every channel that the app is in), `own_ids` the bots, users and apps that
    are stormfold itself. Of OpenTelemetry: log records below `min_severity` are
    no alerts. `mapping` takes the place of an adapter: the forms of the source's messages, in order.
    """

    adapter: str | None = None
    token: Secret | None = None
    proof: ProofConfig | None = None
    tenant: str = "default"
    tenant_header: bool = False
    repeat_interval: Duration | None = None
    share: int = 1
    identity: tuple[str, ...] = ()
    severities: dict[str, Severity] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    own_ids: tuple[str, ...] = ()
    min_severity: LogSeverity = LogSeverity.ERROR
    mapping: tuple[MappingConfig, ...] = ()


class TeamConfig(Strict, frozen=True):
    """Who is told: `page` for P1 and P2, `notify` for P3 and P4, `fallback` when a page's target fails for good."""

    page: tuple[str, ...]
    notify: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()


class ServiceConfig(Strict, frozen=True):
    """A service: tier 1 carries the business, 3 hardly matters; `team` owns it."""

    tier: int = 3
    team: str | None = None


class RuleConfig(Strict, frozen=True):
    """A label rule: alerts that match and agree in `group_by` within `window` are one incident.

    `impact` states the impact in words of the rule (`whole_site`, `data_loss`, `region`, or `workaround`).
    """

    name: str
    match: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    window: Duration = Duration(600_000)
    cap: Duration = Duration(86_400_000)
    size: int = 1_000
    grace: Duration = Duration(1_800_000)
    impact: tuple[str, ...] = ()
    team: str | None = None
    title: str | None = None


class RouteConfig(Strict, frozen=True):
    """Incidents whose labels match go to this team; the first route that matches wins."""

    team: str
    match: tuple[str, ...] = ()


class PriorityConfig(Strict, frozen=True):
    """How impact and urgency are measured. Source of the matrix: ITIL's impact by urgency table, folded to P1..P4."""

    production: tuple[str, ...] = ("", "prod", "production", "live")
    environment_label: tuple[str, ...] = ("env", "environment", "stage")
    host_label: tuple[str, ...] = ("instance", "host", "node")
    region_label: tuple[str, ...] = ("region", "zone", "az")
    many_services: int = 3
    many_hosts: int = 10
    many_regions: int = 2
    trend_members: int = 0
    trend_window: Duration = Duration(300_000)
    hysteresis: Duration = Duration(300_000)
    impact_words: dict[str, Level] = field(
        default_factory=lambda: {
            "whole_site": Level.HIGH,
            "data_loss": Level.HIGH,
            "region": Level.HIGH,
            "major": Level.MEDIUM,
            "minor": Level.LOW,
        }
    )
    business_hours: str | None = None
    business_timezone: str = "UTC"


class PagerDuty(Strict, frozen=True, tag="pagerduty", tag_field="type"):
    """PagerDuty Events API v2; `url` for the EU region or a relay."""

    routing_key: Secret
    url: str = "https://events.pagerduty.com/v2/enqueue"
    allow_private: bool = False
    per_minute: int = 120


class Webhook(Strict, frozen=True, tag="webhook", tag_field="type"):
    """A generic webhook: CloudEvents body, signed after Standard Webhooks where `secret` is set."""

    url: str
    secret: Secret | None = None
    allow_private: bool = False
    per_minute: int = 600


class Slack(Strict, frozen=True, tag="slack", tag_field="type"):
    """A channel of Slack, by a bot's token (scopes `chat:write`, and `channels:history` or `groups:history` to look
    back after a doubt). `channel` is its id, not its name; `buttons` need an app whose interactivity points here.
    """

    token: Secret
    channel: str
    url: str = "https://slack.com/api"
    buttons: bool = True
    allow_private: bool = False
    per_minute: int = 60


class Console(Strict, frozen=True, tag="console", tag_field="type"):
    """Prints to the process's own output: for laptops and for the demo."""

    per_minute: int = 6_000


ChannelConfig = PagerDuty | Webhook | Slack | Console


class CorrelationConfig(Strict, frozen=True):
    """Windows and leases of the whole pipeline; `domain` labels are fixed while a deployment lives."""

    lease: Duration = Duration(120_000)
    domain: tuple[str, ...] = ()
    keep_closed: Duration = Duration(86_400_000)
    keep_changes: Duration = Duration(604_800_000)
    default_tenant: str = "default"


class Config(Strict, frozen=True):
    """A whole configuration, validated together: every name that is used is defined."""

    sources: dict[str, SourceConfig] = field(default_factory=dict)
    teams: dict[str, TeamConfig] = field(default_factory=dict)
    services: dict[str, ServiceConfig] = field(default_factory=dict)
    rules: tuple[RuleConfig, ...] = ()
    routes: tuple[RouteConfig, ...] = ()
    channels: dict[str, ChannelConfig] = field(default_factory=dict)
    priority: PriorityConfig = field(default_factory=PriorityConfig)
    correlation: CorrelationConfig = field(default_factory=CorrelationConfig)
    heartbeats: tuple[HeartbeatConfig, ...] = ()
    canary: CanaryConfig = field(default_factory=CanaryConfig)
