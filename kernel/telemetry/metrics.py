"""Every metric of stormfold, in one registry object a process: `Metrics`.

The attribute of a metric is its name without `stormfold_`. Label values are bounded: sources come from the
configuration (anything else is `other`), the rest are the words listed here; never a fingerprint, a host or a title.
The help text says what to do when the value looks wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kernel.clock import Millis
from kernel.model.incident import Fact, IncidentStatus, Priority

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"

PASSED = ("first_sight", "status_change", "severity_change", "reopened")
SUPPRESSED = ("lease_expired", "repeat", "older")
OUTCOMES = (*PASSED, *SUPPRESSED, "dead", "ignored", "change", "heartbeat")
ROLES = ("gateway", "ingest", "correlator", "notifier")
TOPICS = ("alerts.raw", "answers.raw", "signals", "incidents", "deliveries", "alerts.dead")

_BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BATCH_ALERTS = (1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000)
_TO_PAGE = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
_DELIVERY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LOOP_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _WithoutCreated(Collector):
    """A registry without the `_created` series, which nobody here reads; the client's own switch is a global."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """The metrics of one process. `sources` are the configured names; `version` is the build's.

    Children whose labels are known are made at once, so that a rate exists before the first event.
    """

    def __init__(self, sources: Iterable[str] = (), version: str = "unknown") -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._sources: set[str] = {OTHER}
        ProcessCollector(registry=self.registry)
        self._intake()
        self._flow()
        self._incidents()
        self._people()
        self._door()
        self._process(version)
        self.set_sources(sources)

    def _intake(self) -> None:
        self.alerts_total = self._counter(
            "alerts",
            "Alerts judged by ingest. Many 'dead': look at stormfold_dead_letters_total; no 'repeat' at all: identity"
            " fields may hold something that changes with every message.",
            ("source", "outcome"),
        )
        self.dead_letters_total = self._counter(
            "dead_letters",
            "Messages and alerts put aside. Read them with 'stormfold dead list', fix the sender or the source's"
            " configuration, then 'stormfold dead replay'.",
            ("source", "reason", "stage"),
        )
        self.defaults_total = self._counter(
            "defaults",
            "Documented defaults taken because a sender left something out. 'severity_unknown': add the word to the"
            " source's 'severities'; 'time_clamped': set the sender's clock.",
            ("source", "default"),
        )
        self.suppression_ratio = self._gauge(
            "suppression_ratio",
            "Share of judged alerts that were suppressed since the start, 0 to 1. Near 0 in a storm: look at the"
            " identity fields of the noisiest source.",
        )
        self.suppression_ratio.set_function(self._suppression)
        self.commands_total = self._counter(
            "commands",
            "Answers of people (acknowledge, note, resolve) by outcome. 'dead' or 'expired': the incident or alert was"
            " unknown; look at 'stormfold dead list'. 'other_episode', 'other_tenant': it was about something else.",
            ("verb", "outcome"),
        )
        self.unattributed_alerts_total = self._counter(
            "unattributed_alerts",
            "Alerts counted without an incident, by reason. 'resolved_unknown' is normal after a start; anything else"
            " that keeps rising means that refreshes do not arrive: look at ingest's errors.",
            ("reason",),
        )
        self.inexact_ranges_total = self._counter(
            "inexact_ranges",
            "Ranges of counts left out because the store fell back in time. Rises only after a fail-over of Redis;"
            " otherwise report it.",
        )

    def _flow(self) -> None:
        self.consumer_lag_records = self._gauge(
            "consumer_lag_records",
            "Records not yet read of the partitions this process owns. Rising: add workers of the role that reads"
            " the topic.",
            ("topic",),
        )
        self.overtaken_total = self._counter(
            "overtaken",
            "Times a consumer's position was deleted by retention before it was read: alerts were lost. Lengthen the"
            " topic's retention and add workers.",
            ("topic",),
        )
        self.partition_stopped = self._gauge(
            "partition_stopped",
            "Partitions that this process stopped because it could not go on safely. Above 0: read the log, it names"
            " the way out.",
            ("topic",),
        )
        self.progress_age_seconds = self._gauge(
            "progress_age_seconds",
            "How far ingest's progress lies behind now. Above a minute: auto-resolve waits; look for a partition of a"
            " raw topic that no ingest worker reads.",
        )
        self.batch_seconds = self._histogram(
            "batch_seconds",
            "Time from a batch's first record to its stored effect. Above a second: look at Redis and at the event"
            " loop's lag.",
            ("role",),
            _BATCH_SECONDS,
        )
        self.batch_alerts = self._histogram(
            "batch_alerts",
            "Alerts in a batch. Always at the top: the role is saturated, add workers.",
            ("role",),
            _BATCH_ALERTS,
        )
        self.turns_total = self._counter(
            "turns",
            "Turns of shard owners by outcome. 'refused': another owner took over or the store fell back; a few at a"
            " rebalance are normal.",
            ("role", "outcome"),
        )
        self.claims_total = self._counter(
            "claims",
            "Claims of shards by outcome. 'lost': the shard's state is gone; 'stormfold shard reset' is the way out.",
            ("role", "outcome"),
        )
        self.shards = self._gauge(
            "shards",
            "Shards of this process by state. 'lost' above 0: alerts of that shard wait; read the log and use"
            " 'stormfold shard reset'.",
            ("role", "state"),
        )
        for topic in TOPICS:
            self.overtaken_total.labels(topic)
            self.partition_stopped.labels(topic)
        for role in ROLES:
            self.batch_seconds.labels(role)
            self.batch_alerts.labels(role)
        for role in ("correlator", "notifier"):
            for state in ("owned", "lost"):
                self.shards.labels(role, state)

    def _incidents(self) -> None:
        self.incidents = self._gauge(
            "incidents",
            "Incidents that this process keeps, by priority and status. Open P1 that stay: nobody acknowledges; look"
            " at stormfold_pages_total.",
            ("priority", "status"),
        )
        self.incident_facts_total = self._counter(
            "incident_facts",
            "Facts about incidents. Far more 'opened' than people can handle: rules group too little.",
            ("fact",),
        )
        for priority, status in product(Priority, IncidentStatus):
            self.incidents.labels(priority.value, status.value)
        for fact in Fact:
            self.incident_facts_total.labels(fact.value)

    def _people(self) -> None:
        self.canary_age_seconds = self._gauge(
            "canary_age_seconds",
            "Seconds since the newest canary was sent that came through to the notifier (take the least of all"
            " processes). Above a few minutes: alerts do not reach people; look at /readyz of every role.",
            ("role",),
        )
        self.canary_latency_seconds = self._gauge(
            "canary_latency_seconds",
            "How long the newest canary took from the gateway to its channel. Above a second: compare"
            " stormfold_batch_seconds and stormfold_consumer_lag_records.",
            ("role",),
        )
        self.canary_every_seconds = self._gauge(
            "canary_every_seconds",
            "How often a canary is sent, 0 for never. It is canary.every of the configuration.",
            ("role",),
        )
        self.canary_sent_total = self._counter(
            "canary_sent",
            "Canaries that this gateway sent, by outcome. 'refused': Kafka did not take it.",
            ("outcome",),
        )
        self.deliveries_total = self._counter(
            "deliveries",
            "Deliveries to channels by action and outcome. 'failed' or 'unknown': look at the channel's address,"
            " credentials and limits.",
            ("channel", "action", "outcome"),
        )
        self.pages_total = self._counter(
            "pages",
            "Pages by outcome. Any 'failed': nobody was called on that channel; the fallback channel was tried.",
            ("channel", "outcome"),
        )
        self.alert_to_page_seconds = self._histogram(
            "alert_to_page_seconds",
            "From the arrival of the alert that caused a page to the receiver's answer. Rising: compare"
            " stormfold_batch_seconds, stormfold_consumer_lag_records and stormfold_delivery_seconds.",
            (),
            _TO_PAGE,
        )
        self.delivery_seconds = self._histogram(
            "delivery_seconds",
            "Time a receiver takes to answer. Above 5 s: the receiver is slow; deliveries to it queue.",
            ("channel",),
            _DELIVERY,
        )

    def _door(self) -> None:
        self.door_requests_total = self._counter(
            "door_requests",
            "Requests at the alert doors by status code. 5xx: Kafka does not acknowledge; 401: the sender's token.",
            ("source", "code"),
        )
        self.door_refused_total = self._counter(
            "door_refused",
            "Requests refused at the door by reason. 'back_pressure': Kafka is slow or away; 'over_share': this source"
            " sends more than its share while others send too; 'too_large': let the sender send fewer alerts at once.",
            ("source", "reason"),
        )
        self.door_replays_total = self._counter(
            "door_replays",
            "Deliveries that had been taken before and were not published again. Many: the sender does not get our"
            " answer in time and tries again.",
            ("source",),
        )
        self.door_replay_unshared_total = self._counter(
            "door_replay_unshared",
            "Times that the memory of taken deliveries was asked ('seen') or told ('remember') without Redis. Rising:"
            " Redis is away, so a delivery that comes again through another gateway is published again.",
            ("step",),
        )
        self.door_clock_skew_seconds = self._gauge(
            "door_clock_skew_seconds",
            "Worst difference between our clock and a source's, as its signatures say, in the last 5 to 10 minutes;"
            " negative: the sender is ahead. Above 60: set the clock of the one that is wrong; at 300 most signatures"
            " are refused.",
            ("source",),
        )
        self.door_unacknowledged_bytes = self._gauge(
            "door_unacknowledged_bytes",
            "Bytes accepted from senders that Kafka has not acknowledged. Stays high: look at the brokers.",
        )

    def _process(self, version: str) -> None:
        self.event_loop_lag_seconds = self._histogram(
            "event_loop_lag_seconds",
            "How late the event loop wakes up. Above a second: heartbeats to Kafka are in danger; give the process a"
            " core of its own or fewer partitions.",
            (),
            _LOOP_LAG,
        )
        self.config_hash = self._gauge(
            "config_hash",
            "First 48 bits of the configuration's hash as a number. Differs between processes for minutes: one of"
            " them did not reload; look at stormfold_config_last_reload_successful.",
        )
        self.config_last_reload_successful = self._gauge(
            "config_last_reload_successful",
            "1 if the last look at the configuration took it over or found it unchanged. 0: the old one is still in"
            " use; run 'stormfold check' on the directory.",
        )
        self.config_last_reload_success_timestamp_seconds = self._gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration in use was taken over. Older than your last change: see"
            " stormfold_config_last_reload_successful.",
        )
        self.build_info = self._gauge(
            "build_info",
            "Always 1; the label names the build. Several versions for long: a deployment got stuck half-way.",
            ("version",),
        )
        self.build_info.labels(version).set(1)

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"stormfold_{name}", help_text, labels, registry=self.registry)

    def _gauge(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"stormfold_{name}", help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"stormfold_{name}", help_text, labels, buckets=buckets, registry=self.registry)

    def set_sources(self, names: Iterable[str]) -> None:
        """The configured sources: the only values of the label `source`, beside `other`. Called again by a reload."""
        self._sources = {*names, OTHER}
        for source, outcome in product(sorted(self._sources), OUTCOMES):
            self.alerts_total.labels(source, outcome)

    def source(self, name: str | None) -> str:
        """The value of the label `source` for a name that came from outside: itself if configured, else `other`."""
        return name if name is not None and name in self._sources else OTHER

    def config_taken(self, config_hash: str, at: Millis) -> None:
        """A configuration (hash in hex digits) took over at `at` (milliseconds)."""
        self.config_hash.set(int(config_hash[:12], 16))
        self.config_last_reload_successful.set(1)
        self.config_last_reload_success_timestamp_seconds.set(at / 1000)

    def config_refused(self) -> None:
        """The configuration on disk cannot take over; the old one stays."""
        self.config_last_reload_successful.set(0)

    def _suppression(self) -> float:
        total, suppressed = 0.0, 0.0
        for metric in self.alerts_total.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    total += sample.value
                    suppressed += sample.value if sample.labels["outcome"] in SUPPRESSED else 0.0
        return suppressed / total if total else 0.0

    def render(self) -> bytes:
        """The text exposition format 0.0.4, as `CONTENT_TYPE` says."""
        return generate_latest(_WithoutCreated(self.registry))

    def all(self) -> dict[str, MetricWrapperBase]:
        """Every metric by its attribute; the documentation and the tests read it."""
        return {name: value for name, value in vars(self).items() if isinstance(value, MetricWrapperBase)}
