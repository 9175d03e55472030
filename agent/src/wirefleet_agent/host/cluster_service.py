# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""This hub's part in the cluster, as long as the tunnel's configuration has a ``[cluster]``: start, stop, follow.

What the hubs have decided reaches the tunnel from here: revoked keys are refused before the first packet moves (as far
as this hub's own files tell), and from then on with every change. Everything else asks ``state``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..cluster import ClusterView, ViewHubState
from ..cluster.connection import Member
from ..cluster.journal import JournalDamaged
from ..cluster.replica import ClusterSettings, Role, Timing
from ..cluster.runner import ClusterReport, ClusterRunner
from ..cluster.snapshot import stored_view
from ..config import ClusterMember, ClusterOptions, TunnelConfig
from ..crypto import public_key_of
from ..engine import Loop
from ..errors import RefusedError, WireFleetError
from ..keys import ClusterKey, PublicKey
from ..observe import Counters, Logger
from .keystore import KeyStore
from .live_tunnel import LiveTunnel
from .paths import TunnelPaths
from .private_files import files, make_private_dir, os_failure

_END_S = 1.0  # how long the end of the process waits for a disk
TIMING = Timing()


class ClusterService:
    """Owns at most one runner. count_spokes: how many spokes use this hub now; None where nothing tells."""

    def __init__(
        self, paths: TunnelPaths, keys: KeyStore, live: LiveTunnel, loop: Loop, counters: Counters, logger: Logger
    ) -> None:
        self._paths = paths
        self._keys = keys
        self._live = live
        self._loop = loop
        self._counters = counters
        self._logger = logger
        self._runner: ClusterRunner | None = None
        self._last: ClusterRunner | None = None
        self._running: tuple[ClusterSettings, ClusterKey] | None = None
        self.state = ViewHubState()
        self.options: ClusterOptions | None = None
        self.own: ClusterMember | None = None
        self.problem: str | None = None
        self.count_spokes: Callable[[], int | None] = lambda: None
        live.before_switch = self._before_switch
        live.after_switch = self.follow

    @property
    def runner(self) -> ClusterRunner | None:
        return self._runner

    @property
    def report(self) -> ClusterReport:
        return ClusterReport(problem=self.problem) if self._runner is None else self._runner.report

    @property
    def has_quorum(self) -> bool | None:
        """Whether the hubs can decide something as far as this one knows; None: this host is in no cluster."""
        status = self.report.status
        return None if self.options is None else status is not None and status.has_quorum

    def follow(self, config: TunnelConfig | None) -> None:
        """The tunnel is as ``config`` says now. A cluster that cannot be is a problem in reports, not an error."""
        options = None if config is None else config.options.cluster
        key = None if config is None else config.interface.private_key
        own_key = None if key is None else public_key_of(key)
        self.state.own_key = own_key
        self.options = options
        self.own = None if options is None or own_key is None else options.member(own_key)
        try:
            wanted = None if options is None else self._settings(options)
            self.problem = None
        except WireFleetError as error:
            wanted, self.problem = None, str(error)
            self._logger.error("cluster_not_started", error=str(error))
        if wanted == self._running:
            return
        self._stop()
        if wanted is not None:
            self._start(*wanted)

    def stop(self) -> None:
        """At the end of the process. Idempotent."""
        self._stop()
        if self._last is not None and not self._last.stop(wait_s=_END_S):
            self._logger.warning("cluster_still_writing")

    def _before_switch(self, config: TunnelConfig) -> None:
        """Who was revoked must not get in while the hubs look for each other."""
        if config.options.cluster is None:
            view = ClusterView()
        else:
            view = self._stored_view() if self._runner is None else self._runner.view
        self.state.take(view)
        self._live.refused = self.state.revoked

    def _stored_view(self) -> ClusterView:
        if not self._paths.cluster_dir.is_dir():
            return ClusterView()
        try:
            self._check_files()
            return stored_view(self._paths.cluster_dir)
        except (JournalDamaged, OSError, WireFleetError) as error:
            self._logger.error("cluster_state_not_read", error=str(error))
            return self.state.view

    def _settings(self, options: ClusterOptions) -> tuple[ClusterSettings, ClusterKey]:
        """Raises RefusedError, DriverError."""
        path = str(self._paths.toml)
        if self.own is None:
            raise RefusedError("this host's key is not among the members", path=f"{path} [cluster]")
        key = self._keys.cluster_key(self._paths.name)
        if key is None:
            hint = "apply the configuration with the collection, or with cluster_key in the request"
            raise RefusedError("there is no cluster key yet", path=str(self._paths.cluster_key), hint=hint)
        for folder in (self._paths.host.state_dir, self._paths.host.cluster_dir, self._paths.cluster_dir):
            make_private_dir(folder)
        self._check_files()
        own = _member(self.own, options)
        others = tuple(_member(each, options) for each in options.members if each is not self.own)
        return ClusterSettings(own, others, self._paths.cluster_dir, TIMING, files.open_new), key

    def _check_files(self) -> None:
        """What lies there must be ours and private before it is believed. Raises RefusedError, DriverError."""
        for path in sorted(self._paths.cluster_dir.iterdir()):
            try:
                files.secure_file(path, check=False)
                os.close(files.open_checked(path))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise os_failure("open", path, error) from error

    def _start(self, settings: ClusterSettings, key: ClusterKey) -> None:
        self._running = settings, key
        self._runner = ClusterRunner(
            settings,
            key,
            self._loop.call_soon_threadsafe,
            self._changed,
            view=self.state.view,
            after=self._last,
            on_role=self._role_changed,
            on_problem=lambda problem: self._logger.error("cluster_failed", problem=problem),
        )
        self._runner.start()
        self._logger.info("cluster_started", members=len(settings.others) + 1)

    def _stop(self) -> None:
        if self._runner is not None:
            self._runner.stop()
            self._last, self._runner, self._running = self._runner, None, None
            self._logger.info("cluster_stopped")

    def _role_changed(self, term: int, role: Role) -> None:
        self._counters.add("cluster_role_changed")
        self._logger.info("cluster_role_changed", term=term, role=role)

    def _changed(self) -> None:
        """The runner's view or report is another one: from the loop's thread."""
        if self._runner is None or self._runner.view == self.state.view:
            return
        before = self.state.view
        self.state.take(self._runner.view)
        self._log_difference(before, self.state.view)
        self._refuse(self.state.revoked)

    def _refuse(self, keys: frozenset[PublicKey]) -> None:
        try:
            self._live.refuse(keys)
        except WireFleetError as error:
            self._logger.error("revocation_left_routes", error=str(error))

    def _log_difference(self, before: ClusterView, now: ClusterView) -> None:
        for key in sorted(now.revoked.keys() - before.revoked.keys()):
            entry = now.revoked[key]
            self._logger.warning("peer_revoked", public_key=key, who=entry.who, reason=entry.reason)
        for key in sorted(before.revoked.keys() - now.revoked.keys()):
            self._logger.warning("peer_restored", public_key=key)
        for key in sorted(now.drains ^ before.drains):
            self._logger.warning("hub_drained" if key in now.drains else "hub_resumed", public_key=key)
        if now.epoch != before.epoch:
            self._logger.info("epoch_advanced", epoch=now.epoch)


def _member(member: ClusterMember, options: ClusterOptions) -> Member:
    return Member(member.key, member.address, options.port)
