# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a tunnel's daemon does, on any platform: answer the control socket, keep the tunnel as configured.

It starts without a configuration, and with one that cannot be applied yet (port taken, key missing, interface
busy): it says why in ``status`` and tries again, 1, 2, 4 ... 60 s apart. An unconfirmed configuration is taken back
at its deadline, also when that passed while nothing ran.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ..engine import Handle, Loop
from ..errors import DriverError, RefusedError, WireFleetError
from ..observe import Counters, Logger
from .cluster_calls import ClusterCalls
from .cluster_service import ClusterService
from .configuration import Configuration
from .control_protocol import Json
from .control_server import ControlServer
from .keystore import KeyStore
from .live_tunnel import LiveTunnel
from .metrics_endpoint import MetricsEndpoint
from .paths import TunnelPaths
from .process_facts import ProcessFacts
from .redundancy import Redundancy
from .releases import ReleaseStore
from .replies import NOT_RUNNING, configured_reply, key_reply
from .reports import tunnel_health, tunnel_status, unhealthy_peers
from .requests import ConfigRequest, ConfirmRequest, HealthRequest
from .restart_record import RestartRecord

_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0
_FILES_RETRY_S = 5.0


class TunnelService:
    """One tunnel's daemon, without the process around it (``service_linux``, ``service_windows``)."""

    def __init__(
        self,
        paths: TunnelPaths,
        configuration: Configuration,
        keys: KeyStore,
        releases: ReleaseStore,
        live: LiveTunnel,
        control: ControlServer,
        loop: Loop,
        counters: Counters,
        logger: Logger,
        process: ProcessFacts,
        metrics: MetricsEndpoint,
        redundancy: Redundancy,
        cluster: ClusterService,
    ) -> None:
        self._paths = paths
        self._configuration = configuration
        self._keys = keys
        self._releases = releases
        self._live = live
        self._control = control
        self._loop = loop
        self._counters = counters
        self._logger = logger
        self._process = process
        self._metrics = metrics
        self._redundancy = redundancy
        self._cluster = cluster
        cluster.count_spokes = lambda: None if redundancy.ha is None else redundancy.ha.spokes_using_us
        self._retry: Handle | None = None
        self._retry_s = _FIRST_RETRY_S
        self._confirm_timer: Handle | None = None
        self._last_error: WireFleetError | None = None
        configuration.switch_to = live.switch_to
        live.on_removed = self._interface_removed
        control.handlers.update(self._handlers() | ClusterCalls(cluster, live).handlers)

    def start(self) -> None:
        """Serve the control socket and bring up what is configured, if it can be. Raises DriverError for the socket."""
        put_off = None
        try:
            reverted = self._configuration.recover()
            if reverted is not None:
                self._note_revert(reverted)
        except DriverError as error:
            put_off = error
        self._adopt_key()
        self._control.start()
        self._logger.info("service_started", tunnel=self._paths.name, pid=os.getpid())
        self._converge()
        self._metrics.start()
        self._arm_confirm_timer()
        if put_off is not None:
            self._revert_files_later(put_off)

    def stop(self) -> None:
        """Leave nothing behind: routes, addresses, interface, sockets. Idempotent."""
        for timer in (self._retry, self._confirm_timer):
            if timer is not None:
                timer.cancel()
        self._metrics.stop()
        self._live.close()
        self._cluster.stop()
        self._control.stop()
        self._logger.info("service_stopped", tunnel=self._paths.name)

    def _adopt_key(self) -> None:
        """A key that was made while no service ran gets this account's own seal, where there is one."""
        try:
            if self._keys.adopt(self._paths.name):
                self._logger.info("key_sealed_for_service")
        except WireFleetError as error:
            self._logger.warning("key_not_sealed_for_service", error=str(error))

    def _handlers(self) -> dict[str, Callable[[Mapping[str, object]], Json]]:
        return {
            "ping": lambda _request: self._identity() | {"is_configured": self._live.config is not None},
            "stop": self._stop,
            "status": lambda _request: self.status(),
            "health": lambda request: self._health(HealthRequest.from_json(request)),
            "config.apply": lambda request: self._apply(ConfigRequest.from_json(request)),
            "config.confirm": lambda request: self._confirm(ConfirmRequest.from_json(request)),
            "config.show": lambda _request: self._configuration.show(),
            "key.ensure": lambda _request: key_reply(self._keys.ensure(self._paths.name)),
            "key.rotate": lambda _request: self._rotate(),
        }

    def status(self) -> Json:
        tunnel = self._live.tunnel
        pending = self._configuration.pending()
        live = self._live
        seen = {} if tunnel is None else tunnel_status(tunnel, live.config, self._loop.now(), live.is_proven)
        return {
            "tunnel": self._paths.name,
            **NOT_RUNNING,
            **self._identity(),
            "public_key": self._public_key(),
            "release": self._releases.running(Path(sys.prefix)),
            **seen,
            **self._redundancy.status(_groups_of(seen)),
            **configured_reply(self._configuration.digest()),
            "pending": pending is not None,
            "error": None if self._last_error is None else self._last_error.as_dict(),
            "counters": self._counters.snapshot(),
            "process": self._process.report().as_dict(),
            "restart": RestartRecord(self._paths).read(),
        }

    def underlay_changed(self) -> None:
        """The host woke up, or its network is another one: from the loop's thread."""
        self._counters.add("underlay_changed")
        self._live.start_over()
        self._redundancy.host_resumed()

    def _public_key(self) -> str | None:
        """Of the key that the tunnel will have."""
        try:
            return str(self._keys.show(self._paths.name).public_key)
        except RefusedError:
            return None

    def _identity(self) -> Json:
        return {"running": True, "pid": os.getpid()}

    def _stop(self, _request: Mapping[str, object]) -> Json:
        self._loop.call_soon(self._loop.stop)
        return {"pid": os.getpid()}

    def _health(self, request: HealthRequest) -> Json:
        """Whoever asks for a silent peer has it called: without packets nothing else would."""
        live = self._live
        answers, has_quorum = self._redundancy.answers(), self._cluster.has_quorum if request.quorum else None
        reply = tunnel_health(live.tunnel, live.config, request, self._loop.now(), live.is_proven, answers, has_quorum)
        live.call(unhealthy_peers(reply))
        return reply

    def _apply(self, request: ConfigRequest) -> Json:
        reply = self._configuration.apply(request)
        self._succeeded()
        self._arm_confirm_timer()
        if reply["changed"]:
            self._counters.add("config_applied")
            self._logger.info("config_applied", digest=reply["digest"], is_pending=reply["pending"])
        refused = self._live.refused_peers
        return reply | {"running": True} | ({"refused_peers": refused} if refused else {})

    def _confirm(self, request: ConfirmRequest) -> Json:
        reply = self._configuration.confirm(request)
        self._arm_confirm_timer()
        if reply["changed"]:
            self._counters.add("config_confirmed")
            self._logger.info("config_confirmed", digest=reply["digest"])
        return reply

    def _rotate(self) -> Json:
        """The new key is used at once; if that fails, the old one comes back."""
        old = self._keys.private_key(self._paths.name)
        report = self._keys.rotate(self._paths.name)
        try:
            if self._live.config is not None:
                self._live.switch_to(self._configuration.stored())
        except WireFleetError:
            if old is not None:
                self._keys.restore(self._paths.name, old)
            raise
        self._counters.add("key_rotated")
        self._logger.info("key_rotated", public_key=str(report.public_key))
        return key_reply(report)

    # Keeping the tunnel as configured

    def _converge(self) -> None:
        """Bring the live tunnel to the stored configuration; try again later if that is not possible now."""
        self._retry = None
        try:
            self._live.switch_to(self._configuration.stored())
        except WireFleetError as error:
            self._last_error = error
            self._logger.error("tunnel_not_applied", error=str(error), retry_s=self._retry_s)
            self._retry = self._loop.call_at(self._loop.now() + self._retry_s, self._converge)
            self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)
        else:
            self._succeeded()

    def _succeeded(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._retry, self._retry_s, self._last_error = None, _FIRST_RETRY_S, None

    def _interface_removed(self) -> None:
        self._counters.add("interface_removed")
        self._retry = self._loop.call_at(self._loop.now() + self._retry_s, self._converge)

    def _arm_confirm_timer(self) -> None:
        if self._confirm_timer is not None:
            self._confirm_timer.cancel()
            self._confirm_timer = None
        pending = self._configuration.pending()
        if pending is not None:
            self._confirm_timer = self._loop.call_at(self._loop.now() + pending.remaining_s, self._expired)

    def _expired(self) -> None:
        """Nobody confirmed: back to what was confirmed, live, without touching peers that it does not concern."""
        pending = self._configuration.pending()
        if pending is not None and pending.remaining_s > 0:
            self._arm_confirm_timer()  # the two clocks differ: wait for the rest
            return
        self._confirm_timer = None
        try:
            self._configuration.discard_pending()
        except WireFleetError as error:
            self._revert_files_later(error)
        else:
            self._note_revert("expired")
        try:
            self._live.switch_to(self._configuration.stored())
        except WireFleetError as error:
            # What nobody confirmed must not stay: the way through no tunnel at all is the last one.
            self._logger.warning("revert_by_restart", error=str(error))
            self._live.close()
            self._converge()
        else:
            self._succeeded()

    def _revert_files_later(self, error: WireFleetError) -> None:
        """A full disk must not keep alive what may have cut this host off: live now, the files when it can be."""
        if self._confirm_timer is not None:
            self._confirm_timer.cancel()
        self._logger.error("revert_not_stored", error=str(error), retry_s=_FILES_RETRY_S)
        self._confirm_timer = self._loop.call_at(self._loop.now() + _FILES_RETRY_S, self._expired)

    def _note_revert(self, reason: str) -> None:
        self._counters.add("config_reverted")
        self._logger.warning("config_reverted", reason=reason, digest=self._configuration.digest())


def _groups_of(seen: Json) -> list[Mapping[str, object]]:
    groups = seen.get("groups", [])
    assert isinstance(groups, list)
    return groups
