"""Words that monitoring systems use for severity, and the annotations they keep links in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kernel.model.alert import Severity

_CRITICAL = "critical crit fatal emergency emerg panic page disaster alert blocker p1 sev1 sev-1 s1 p0 sev0"
_HIGH = "high error err major severe p2 sev2 sev-2 s2"
_MEDIUM = "medium warning warn moderate minor average p3 sev3 sev-3 s3"
_LOW = "low notice p4 sev4 sev-4 s4"
_INFO = "info information informational debug none ok p5 sev5 sev-5 s5"

SEVERITIES: Mapping[str, Severity] = {
    word: severity
    for severity, words in (
        (Severity.CRITICAL, _CRITICAL),
        (Severity.HIGH, _HIGH),
        (Severity.MEDIUM, _MEDIUM),
        (Severity.LOW, _LOW),
        (Severity.INFO, _INFO),
    )
    for word in words.split()
}
"""The common words, in lower case; an adapter whose vendor means something else by one has its own table."""

_LINKS = (
    ("runbook_url", "runbook"),
    ("runbook", "runbook"),
    ("dashboard_url", "dashboard"),
    ("dashboard", "dashboard"),
    ("url", "link"),
)


def annotation_links(annotations: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Links from the usual annotations, runbook first; what is no web address is dropped later."""
    return [(text, annotations[name]) for name, text in _LINKS if annotations.get(name)]


def label_name(labels: Mapping[str, str]) -> str:
    """The alert's name: `alertname`, else its labels written as Prometheus writes them."""
    given = labels.get("alertname")
    if given:
        return given
    return "{" + ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels)[:6] if labels[name]) + "}"
