"""Which adapter reads a source: by its configuration, by its name, or detected from the body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.adapters.alertmanager import Alertmanager
from ingest.adapters.argocd import ArgoCD
from ingest.adapters.aws_deployments import AwsDeployments
from ingest.adapters.azure_monitor import AzureMonitor
from ingest.adapters.base import Adapter
from ingest.adapters.cdevents import CDEvents
from ingest.adapters.cloudevents import CloudEvents
from ingest.adapters.cloudwatch import CloudWatch
from ingest.adapters.commands import Commands
from ingest.adapters.datadog import Datadog
from ingest.adapters.dynatrace import Dynatrace
from ingest.adapters.elastic import Elastic
from ingest.adapters.flux import Flux
from ingest.adapters.gcp_monitoring import GcpMonitoring
from ingest.adapters.generic import Generic
from ingest.adapters.github import GitHub
from ingest.adapters.grafana import Grafana
from ingest.adapters.icinga2 import Icinga2
from ingest.adapters.kubernetes import Kubernetes
from ingest.adapters.nagios import Nagios
from ingest.adapters.newrelic import NewRelic
from ingest.adapters.opentelemetry import OpenTelemetry
from ingest.adapters.opsgenie import Opsgenie
from ingest.adapters.pagerduty import PagerDuty
from ingest.adapters.prometheus import Prometheus
from ingest.adapters.sentry import Sentry
from ingest.adapters.slack import Slack
from ingest.adapters.zabbix import Zabbix
from ingest.adapters.zendesk import Zendesk
from ingest.mapping.adapter import mapped
from kernel.config.schema import Config, SourceConfig

_ORDER: Final[tuple[Adapter, ...]] = (
    Commands(),
    CDEvents(),
    AwsDeployments(),
    GitHub(),
    OpenTelemetry(),
    AzureMonitor(),
    GcpMonitoring(),
    Dynatrace(),
    Elastic(),
    CloudEvents(),
    PagerDuty(),
    Opsgenie(),
    Zendesk(),
    Slack(),
    Sentry(),
    NewRelic(),
    ArgoCD(),
    Flux(),
    Kubernetes(),
    Icinga2(),
    Nagios(),
    Zabbix(),
    CloudWatch(),
    Datadog(),
    Grafana(),
    Alertmanager(),
    Prometheus(),
    Generic(),
)
"""In the order of detection: the forms that are surest to tell come first."""

ADAPTERS: Final[dict[str, Adapter]] = {adapter.name: adapter for adapter in _ORDER}


class UnknownAdapter(ValueError):
    """No source and no adapter has this name; the message lists the adapters that there are."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(ADAPTERS))
        super().__init__(f"there is no source or adapter {name!r}; configure the source with `adapter:` one of {known}")


def adapter_for(source: str, config: SourceConfig | None = None) -> Adapter:
    """The source's own mapping, else the adapter that its configuration names, else the one of the source's own name.

    Raises UnknownAdapter.
    """
    if config is not None and config.mapping:
        return mapped(source, config.mapping)
    name = (config.adapter if config else None) or source
    found = ADAPTERS.get(name)
    if found is None:
        raise UnknownAdapter(name)
    return found


def detect(body: Any, headers: Mapping[str, str], config: Config | None = None) -> Adapter | None:
    """The adapter that is sure of this decoded body, None where none is; headers have lower-case names.

    Sources that the configuration maps are asked after the adapters that know a vendor, and before generic JSON.
    """
    return next((adapter for adapter in _asked(config) if adapter.recognises(body, headers)), None)


def _asked(config: Config | None) -> Iterator[Adapter]:
    yield from _ORDER[:-1]
    if config is not None:
        yield from (mapped(name, source.mapping) for name, source in sorted(config.sources.items()) if source.mapping)
    yield _ORDER[-1]


def _likeness(adapter: Adapter, entry: dict[str, Any]) -> tuple[int, float]:
    """How many fields of the adapter's usual body are there, then how much of it: one common word is no likeness."""
    found = sum(field in entry for field in adapter.shape)
    return found, found / len(adapter.shape)


def nearest(body: Any, config: Config | None = None) -> str:
    """A sentence for a body that nobody recognises: which adapter is nearest, and the fields that it misses."""
    entry = body[0] if isinstance(body, list) and body else body
    if not isinstance(entry, dict) or not entry:
        return "no adapter reads this; a body is a JSON object, or a list of objects, with at least one field"
    named = [adapter for adapter in _asked(config) if adapter.shape]
    best = max(named, key=lambda adapter: _likeness(adapter, entry))
    present = [field for field in best.shape if field in entry]
    if not present:
        return "no adapter knows any of its fields; name the source, or send it as generic JSON (docs/sources.md)"
    missing = ", ".join(field for field in best.shape if field not in entry) or "nothing, but their types differ"
    other = "" if len(present) > 1 else "; if it is none of its, a mapping of ten lines reads it (docs/mappings.md)"
    return f"the nearest adapter is {best.name} (found {', '.join(present)}; missing {missing}){other}"
