"""What no single value shows: names that are used are defined, numbers are within their bounds, patterns compile."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.config.check_mapping import problems_of as mapping_problems
from kernel.config.check_proof import oddities_of, problems_of, shared_keys
from kernel.config.hours import BusinessHours
from kernel.config.matchers import parse_matcher
from kernel.config.nodes import Path_, Place, Problem, Reader, did_you_mean
from kernel.config.schema import (
    Config,
    Console,
    PagerDuty,
    PriorityConfig,
    RouteConfig,
    RuleConfig,
    Slack,
    SourceConfig,
    Webhook,
)
from kernel.config.values import Duration
from kernel.model.own import CANARY_CHANNEL, CANARY_TENANT, OWN_RULES, OWN_SOURCES

T = TypeVar("T")

MAX_SIZE = 10_000
MAX_SHARE = 100
SECOND = Duration(1_000)
HOUR = Duration(3_600_000)
MONTH = Duration(31 * 86_400_000)
WORKAROUND = "workaround"
_SLACK = "slack"
UNMATCHED = "unmatched"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SLACK_ID = re.compile(r"[CGD][A-Z0-9]{6,20}")
_SLACK_MEMBER = re.compile(r"[ABUW][A-Z0-9]{6,20}")
_SECTIONS_WITH_NAMES = ("sources", "teams", "channels")


@dataclass(frozen=True, slots=True)
class Known:
    """What the services know and the kernel does not: the adapters' names, and whether a rule's title is a template.

    `title` raises ValueError for one that is not. None of either: not checked.
    """

    adapters: Collection[str] | None = None
    title: Callable[[str], object] | None = None


def check(config: Config, reader: Reader, known: Known) -> None:
    """Add to the reader's problems all that is wrong across a configuration (of which parts may be missing)."""
    checker = _Checker(config, reader, known)
    checker.names()
    checker.sources()
    checker.teams()
    checker.services()
    checker.rules()
    checker.routes()
    checker.channels()
    checker.priority()
    checker.correlation()
    checker.heartbeats()
    checker.canary()


class _Checker:
    def __init__(self, config: Config, reader: Reader, known: Known) -> None:
        self.config = config
        self.reader = reader
        self.known = known

    def say(self, path: Path_, what: str, hint: str = "") -> None:
        """A problem at a path, or at the nearest thing above it that is written down."""
        while path and path not in self.reader.places:
            path = path[:-1]
        self.reader.problem(self.reader.places[path], what, hint)

    def written(self, section: str) -> set[str]:
        """The names a section defines, those that had problems of their own included."""
        return {str(path[1]) for path in self.reader.places if len(path) == 2 and path[0] == section}

    def places_of(self, section: str, items: tuple[T, ...]) -> Iterator[tuple[int, T]]:
        """The items of a list that could be read, each with its place in the list as it is written."""
        return zip(self.reader.kept.get((section,), ()), items, strict=True)

    def defined(self, name: str, section: str, path: Path_) -> None:
        known = self.written(section)
        if name not in known:
            self.say(path, f"there is no {section[:-1]} {name!r}", did_you_mean(name, known))

    def within(self, value: int, low: int, high: int | None, path: Path_) -> None:
        """Durations are shown as durations: a bound has the type of the value."""
        if value < low or (high is not None and value > high):
            hint = f"write {low} to {high}" if high is not None else f"write {low} or more"
            self.say(path, f"{path[-1]} is {value}", hint)

    def label_names(self, names: Iterable[str], path: Path_) -> None:
        for index, name in enumerate(names):
            if not name or re.search(r"[\s=!~{}\"',]", name):
                self.say((*path, index), f"{name!r} is not the name of a label", "write the label's name alone")

    def matchers(self, texts: Iterable[str], path: Path_) -> None:
        for index, text in enumerate(texts):
            try:
                parse_matcher(text)
            except ValueError as error:
                what, _, hint = str(error).partition("; ")
                self.say((*path, index), what, hint or "correct the matcher")

    def names(self) -> None:
        for section in _SECTIONS_WITH_NAMES:
            for name in sorted(self.written(section)):
                if not _NAME.fullmatch(name):
                    hint = "use 1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first"
                    self.say((section, name), f"{name!r} cannot be the name of a {section[:-1]}", hint)
        if "other" in self.config.sources:
            self.say(("sources", "other"), "'other' stands for unknown sources in metrics", "name the source otherwise")
        if CANARY_CHANNEL in self.config.channels:
            what = f"{CANARY_CHANNEL!r} is a channel of stormfold's own"
            self.say(("channels", CANARY_CHANNEL), what, "name the channel otherwise")
        for name in sorted(OWN_SOURCES & self.config.sources.keys()):
            self.say(("sources", name), f"{name!r} is stormfold itself", "name the source otherwise")

    def sources(self) -> None:
        adapters = self.known.adapters
        for name, source in self.config.sources.items():
            path: Path_ = ("sources", name)
            adapter = source.adapter or name
            if source.mapping:
                self._mapping(source, path)
            elif adapters is not None and adapter not in adapters:
                what = f"the source {name!r} has no adapter {adapter!r}"
                hint = f"set adapter: {did_you_mean(adapter, adapters)}, or write a mapping (docs/mappings.md)"
                self.say((*path, "adapter"), what, hint)
            if not source.tenant:
                self.say((*path, "tenant"), "tenant is empty", "leave it out or write a name")
            if source.tenant == CANARY_TENANT:
                self.say((*path, "tenant"), f"{CANARY_TENANT!r} is stormfold's own tenant", "name it otherwise")
            if source.repeat_interval is not None:
                self.within(source.repeat_interval, SECOND, None, (*path, "repeat_interval"))
            self.label_names(source.identity, (*path, "identity"))
            self.within(source.share, 1, MAX_SHARE, (*path, "share"))
            self._slack(source, adapter, path)
            for below, what, hint in problems_of(name, source):
                self.say((*path, *below), what, hint)
        for below, what, hint in shared_keys(self.config.sources):
            self.say(("sources", *below), what, hint)

    def _mapping(self, source: SourceConfig, path: Path_) -> None:
        if source.adapter is not None:
            self.say((*path, "adapter"), "the source has both an adapter and a mapping", "keep one of them")
        if source.identity:
            hint = "write it there; labels of the setting `identity` are for sources with an adapter"
            self.say((*path, "identity"), "a mapping has an identity of its own", hint)
        for index, form in zip(self.reader.kept.get((*path, "mapping"), ()), source.mapping, strict=True):
            for below, what, hint in mapping_problems(form):
                self.say((*path, "mapping", index, *below), what, hint)

    def _slack(self, source: SourceConfig, adapter: str, path: Path_) -> None:
        """What only a source of Slack has."""
        for field, ids in (("channels", source.channels), ("own_ids", source.own_ids)):
            if ids and adapter != _SLACK:
                what = f"{field} is only of sources that the adapter {_SLACK!r} reads"
                self.say((*path, field), what, f"take it out, or set adapter: {_SLACK}")
        for index, channel in enumerate(source.channels):
            if not _SLACK_ID.fullmatch(channel):
                hint = "write the id that Slack shows under the channel's details, such as C024BE91L"
                self.say((*path, "channels", index), f"{channel!r} is not the id of a Slack channel", hint)
        for index, own in enumerate(source.own_ids):
            if not _SLACK_MEMBER.fullmatch(own):
                hint = "write an id such as B024BE91L (bot), U024BE91L (user) or A024BE91L (app)"
                self.say((*path, "own_ids", index), f"{own!r} is not the id of a bot, user or app of Slack", hint)

    def teams(self) -> None:
        for name, team in self.config.teams.items():
            if not team.page and ("teams", name, "page") in self.reader.places:
                self.say(("teams", name, "page"), f"the team {name!r} has nobody to page", "write page: [CHANNEL]")
            for use, targets in (("page", team.page), ("notify", team.notify), ("fallback", team.fallback)):
                for index, channel in enumerate(targets):
                    self.defined(channel, "channels", ("teams", name, use, index))

    def services(self) -> None:
        for name, service in self.config.services.items():
            self.within(service.tier, 1, 3, ("services", name, "tier"))
            if service.team is not None:
                self.defined(service.team, "teams", ("services", name, "team"))

    def rules(self) -> None:
        first: dict[str, Place] = {}
        for index, rule in self.places_of("rules", self.config.rules):
            path: Path_ = ("rules", index)
            here = self.reader.places.get((*path, "name"), Place("", 0))
            if rule.name in first:
                what = f"two rules are named {rule.name!r}, the first at {first[rule.name]}"
                self.say((*path, "name"), what, "rename one")
            first.setdefault(rule.name, here)
            self._rule(rule, path)

    def _rule(self, rule: RuleConfig, path: Path_) -> None:
        if not rule.name.strip():
            self.say((*path, "name"), "a rule's name is empty", "write a name that people recognise")
        if rule.name == UNMATCHED:
            hint = "name it otherwise, for example 'everything else'"
            self.say((*path, "name"), f"{UNMATCHED!r} is the name of what no rule matches", hint)
        if rule.title is not None and self.known.title is not None:
            try:
                self.known.title(rule.title)
            except ValueError as error:
                self.say((*path, "title"), str(error), "correct the template")
        if rule.name in OWN_RULES:
            self.say((*path, "name"), f"{rule.name!r} is a rule of stormfold's own", "name it otherwise")
        self.matchers(rule.match, (*path, "match"))
        self.label_names(rule.group_by, (*path, "group_by"))
        self.within(rule.window, SECOND, None, (*path, "window"))
        self.within(rule.size, 1, MAX_SIZE, (*path, "size"))
        if rule.window > rule.cap:
            hint = "make cap at least as long as window"
            self.say((*path, "window"), f"window {rule.window} is longer than cap {rule.cap}", hint)
        known = {*self.config.priority.impact_words, WORKAROUND}
        for index, word in enumerate(rule.impact):
            if word not in known:
                hint = f"{did_you_mean(word, known)} (more words: priority.impact_words)"
                self.say((*path, "impact", index), f"{word!r} is not a word of impact", hint)
        if rule.team is not None:
            self.defined(rule.team, "teams", (*path, "team"))

    def routes(self) -> None:
        for index, route in self.places_of("routes", self.config.routes):
            self.matchers(route.match, ("routes", index, "match"))
            self.defined(route.team, "teams", ("routes", index, "team"))

    def channels(self) -> None:
        for name, channel in self.config.channels.items():
            path: Path_ = ("channels", name)
            self.within(channel.per_minute, 1, None, (*path, "per_minute"))
            if isinstance(channel, Console):
                continue
            self._url(channel, (*path, "url"))
            if isinstance(channel, Slack) and not _SLACK_ID.fullmatch(channel.channel):
                hint = "write the id that Slack shows under the channel's details, such as C024BE91L"
                self.say((*path, "channel"), f"{channel.channel!r} is not the id of a Slack channel", hint)

    def _url(self, channel: PagerDuty | Webhook | Slack, path: Path_) -> None:
        try:
            parts = urlsplit(channel.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not host or port == 0 or re.search(r"\s", channel.url):
            self.say(path, "url is not an address of the web", "write https://HOST/PATH")
            return
        if parts.username is not None or parts.password is not None:
            self.say(
                path, "url holds credentials", "take them out of the url; what a channel needs has a setting of its own"
            )
        if parts.fragment:
            self.say(path, "url ends in a #fragment, which is never sent", "take it out")
        if _private(host) and not channel.allow_private:
            self.say(path, f"{host} is a private address", "write allow_private: true if that is meant")

    def priority(self) -> None:
        priority: PriorityConfig = self.config.priority
        for name in ("many_services", "many_hosts", "many_regions"):
            self.within(getattr(priority, name), 1, None, ("priority", name))
        self.within(priority.trend_members, 0, None, ("priority", "trend_members"))
        for name in ("environment_label", "host_label", "region_label"):
            self.label_names(getattr(priority, name), ("priority", name))
        for index, name in enumerate(priority.production):
            if name != name.lower():
                hint = f"write {name.lower()}; environments are compared in lower case"
                self.say(("priority", "production", index), f"{name!r} matches no environment", hint)
        if WORKAROUND in priority.impact_words:
            hint = "take it out; it lowers an impact by itself"
            self.say(("priority", "impact_words", WORKAROUND), f"{WORKAROUND!r} has a meaning already", hint)
        try:
            ZoneInfo(priority.business_timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            hint = "write a name of the IANA list, such as Europe/Berlin"
            self.say(("priority", "business_timezone"), f"there is no time zone {priority.business_timezone!r}", hint)
        if priority.business_hours is not None:
            try:
                BusinessHours.parse(priority.business_hours)
            except ValueError as error:
                what, _, hint = str(error).partition("; ")
                self.say(("priority", "business_hours"), what, hint)

    def correlation(self) -> None:
        correlation = self.config.correlation
        self.within(correlation.lease, SECOND, HOUR, ("correlation", "lease"))
        self.within(correlation.keep_changes, SECOND, None, ("correlation", "keep_changes"))
        self.label_names(correlation.domain, ("correlation", "domain"))
        if not correlation.default_tenant:
            self.say(("correlation", "default_tenant"), "default_tenant is empty", "write a name, or leave it out")
        elif correlation.default_tenant == CANARY_TENANT:
            what = f"{CANARY_TENANT!r} is stormfold's own tenant"
            self.say(("correlation", "default_tenant"), what, "name it otherwise")

    def heartbeats(self) -> None:
        first: dict[str, Place] = {}
        for index, heartbeat in self.places_of("heartbeats", self.config.heartbeats):
            path: Path_ = ("heartbeats", index)
            here = self.reader.places.get((*path, "name"), Place("", 0))
            if heartbeat.name in first:
                what = f"two heartbeats are named {heartbeat.name!r}, the first at {first[heartbeat.name]}"
                self.say((*path, "name"), what, "rename one")
            first.setdefault(heartbeat.name, here)
            if not _NAME.fullmatch(heartbeat.name):
                hint = "use 1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first"
                self.say((*path, "name"), f"{heartbeat.name!r} cannot be the name of a heartbeat", hint)
            if heartbeat.source not in (self.known.adapters or ()):
                self.defined(heartbeat.source, "sources", (*path, "source"))
            self.matchers(heartbeat.match, (*path, "match"))
            self.within(heartbeat.every, SECOND, MONTH, (*path, "every"))
            if heartbeat.team is not None:
                self.defined(heartbeat.team, "teams", (*path, "team"))

    def canary(self) -> None:
        every = self.config.canary.every
        if every:
            self.within(every, SECOND, HOUR, ("canary", "every"))


def _private(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not address.is_global


def warnings_of(config: Config, places: Mapping[Path_, Place], first_file: str) -> Iterator[Problem]:
    """What is allowed but rarely meant; `first_file` is blamed for what is nowhere."""
    for path, what, hint in (*_odd_names(config), *_odd_order(config)):
        place = places.get(path, Place(first_file, 0))
        yield Problem(place.file, place.line, what, hint)


def _odd_names(config: Config) -> Iterator[tuple[Path_, str, str]]:
    for name, source in config.sources.items():
        for below, what, hint in oddities_of(name, source):
            yield ("sources", name, *below), what, hint
        if (source.adapter or name) == _SLACK and not source.channels:
            what = f"the source {name!r} names no channels: every message in a channel that its app is in is a report"
            yield ("sources", name), what, "write channels: [C024BE91L], with the ids of those that are meant"
    for name, team in config.teams.items():
        if not team.notify:
            what = f"the team {name!r} has no notify channel: P3 and P4 go where its pages go"
            yield ("teams", name), what, "write notify: [CHANNEL]"
    for path, item in _matching(config):
        for matcher in map(parse_matcher, item.match):
            if (
                matcher.name == "service"
                and matcher.op == "="
                and matcher.value
                and matcher.value not in config.services
            ):
                what = f"{path[0]}[{path[1]}] names the service {matcher.value!r}, which is not defined"
                yield path, what, did_you_mean(matcher.value, config.services)


def _odd_order(config: Config) -> Iterator[tuple[Path_, str, str]]:
    owned = any(service.team for service in config.services.values())
    catch_all = next((index for index, route in enumerate(config.routes) if not route.match), None)
    if catch_all is None and not owned:
        first = next(iter(config.teams), None)
        goes = f"goes to the first team, {first!r}" if first else "pages nobody: no team is defined"
        what = f"no route takes everything and no service has a team: what matches no route {goes}"
        yield ("routes",), what, "write a last route without match"
    if catch_all is not None and owned:
        what = f"routes[{catch_all}] takes everything, so the teams of services are never asked"
        yield (
            ("routes", catch_all),
            what,
            "leave it out (the first team gets the rest) or leave out the services' teams",
        )
    taken: dict[str, int] = {}
    for path, item in _matching(config):
        section, index = str(path[0]), int(path[1])
        if section in taken:
            what = f"{section}[{index}] is never reached: {section}[{taken[section]}] before it takes everything"
            yield path, what, "move the one without match to the end"
        elif not item.match:
            taken[section] = index


def _matching(config: Config) -> Iterator[tuple[Path_, RuleConfig | RouteConfig]]:
    for index, rule in enumerate(config.rules):
        yield ("rules", index), rule
    for index, route in enumerate(config.routes):
        yield ("routes", index), route
