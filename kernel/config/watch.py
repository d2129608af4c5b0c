"""The configuration in use, and its reload: on request (SIGHUP) and when the directory's hash changes.

A configuration that is wrong, or that changes what is fixed, never takes over: the old one stays, and the log and
`stormfold_config_last_reload_successful` say so. What is refused is looked at again each time, because the reason
may go away by itself: a secret's file appears, the last open alert of a source ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import structlog

from kernel.clock import Clock
from kernel.config.load import ConfigError, Loaded, load_snapshot, snapshot
from kernel.config.mapping import NAMELESS
from kernel.config.nodes import Problem
from kernel.config.schema import Config, SourceConfig
from kernel.telemetry.metrics import Metrics

Listener = Callable[[Loaded], None]

log = structlog.get_logger(__name__)


def _never(source: str) -> bool:
    del source
    return False


class Watched:
    """Holds the configuration in use as `current`.

    The first load is part of making it: raises ConfigError. `adapters` and `title` are as for `load`.
    `allow_identity_change` is asked, by the source's name, whether the fields that make a source's alerts the same
    alert (adapter, identity, tenant) may change now: they may while no alert of that source is open.
    """

    def __init__(
        self,
        directory: Path,
        environ: Mapping[str, str],
        clock: Clock,
        metrics: Metrics,
        *,
        adapters: Collection[str] | None = None,
        title: Callable[[str], object] | None = None,
        allow_identity_change: Callable[[str], bool] = _never,
    ) -> None:
        self._directory = directory
        self._environ = environ
        self._clock = clock
        self._metrics = metrics
        self._adapters = adapters
        self._title = title
        self._allow_identity_change = allow_identity_change
        self._listeners: list[Listener] = []
        self._asked = asyncio.Event()
        self._refused = ""
        loaded = self._read(None)
        assert loaded is not None
        self.current = loaded
        self._taken()

    @property
    def config(self) -> Config:
        """The configuration in use."""
        return self.current.config

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with each configuration that takes over from now on; it must not fail."""
        self._listeners.append(listener)

    def request(self) -> None:
        """Look now, and read secrets again even if no file changed; for the handler of SIGHUP."""
        self._asked.set()

    def look(self, force: bool = False) -> bool:
        """Look at the directory once (blocking reads). True if a new configuration took over.

        Without `force` files whose hash is that of the configuration in use are not read into one again.
        """
        try:
            loaded = self._read(None if force else self.current.hash)
        except ConfigError as error:
            self._refuse(str(error))
            return False
        return self._apply(loaded)

    async def watch(self, every: float = 5.0) -> None:
        """Look every `every` seconds and whenever `request` was called. Runs until it is cancelled."""
        while True:
            forced = await self._wait(every)
            try:
                loaded = await asyncio.to_thread(self._read, None if forced else self.current.hash)
            except ConfigError as error:
                self._refuse(str(error))
            else:
                self._apply(loaded)

    async def _wait(self, seconds: float) -> bool:
        """Sleep; True as soon as a look was requested."""
        asked = asyncio.ensure_future(self._asked.wait())
        slept = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({asked, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            slept.cancel()
        forced = self._asked.is_set()
        self._asked.clear()
        return forced

    def _read(self, known: str | None) -> Loaded | None:
        """What the directory holds; None if its hash is `known`."""
        taken = snapshot(self._directory)
        if taken.hash == known:
            return None
        return load_snapshot(taken, self._directory, self._environ, adapters=self._adapters, title=self._title)

    def _apply(self, loaded: Loaded | None) -> bool:
        if loaded is None or (loaded.hash == self.current.hash and loaded.config == self.current.config):
            if self._refused:
                self._refused = ""
                self._taken()
                log.info("config_as_in_use_again", hash=self.current.hash[:12])
            return False
        fixed = [str(problem) for problem in self._fixed(self.config, loaded.config)]
        if fixed:
            self._refuse("\n".join(fixed))
            return False
        before, self.current = self.current.hash, loaded
        self._refused = ""
        self._taken()
        log.info("config_taken_over", hash=loaded.hash[:12], before=before[:12], files=loaded.files)
        for warning in loaded.warnings:
            log.warning("config_warning", warning=str(warning))
        for listener in self._listeners:
            listener(loaded)
        return True

    def _fixed(self, old: Config, new: Config) -> Iterator[Problem]:
        """What the new configuration changes and must not."""
        where = str(self._directory)
        for name in ("domain", "default_tenant"):
            before, after = getattr(old.correlation, name), getattr(new.correlation, name)
            if before != after:
                what = f"correlation.{name} is fixed while a deployment lives; it was {before!r} and would be {after!r}"
                yield Problem(where, 0, what, "set it back, or drain the deployment and start a new one")
        for name, source in old.sources.items():
            after = new.sources.get(name)
            changed = after is not None and _identity(name, source) != _identity(name, after)
            if changed and not self._allow_identity_change(name):
                what = f"adapter, identity or tenant of the source {name!r} change while alerts of it may be open"
                yield Problem(where, 0, what, "set them back, or wait until its alerts have ended")

    def _refuse(self, why: str) -> None:
        self._metrics.config_refused()
        if why != self._refused:
            self._refused = why
            log.error("config_refused", in_use=self.current.hash[:12], problems=why.splitlines())

    def _taken(self) -> None:
        self._metrics.set_sources(self.config.sources)
        self._metrics.config_taken(self.current.hash, self._clock.now_ms())


def _identity(name: str, source: SourceConfig) -> tuple[object, ...]:
    mapped = {
        (form.kind, form.each, frozenset(form.identity.items())) for form in source.mapping if form.kind not in NAMELESS
    }
    return source.adapter or name, source.identity, source.tenant, bool(source.mapping), mapped
