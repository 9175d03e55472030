# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Metrics of the live tunnel for Prometheus, there where its configuration says.

A look every second finds what changed: the configuration, the interface, addresses that came or went. It listens on
addresses of the tunnel's interface and of loopback, on no others; who may call is decided by where he calls from.
"""

from __future__ import annotations

import ipaddress
import platform
import sys
from collections.abc import Callable, Hashable, Iterator

from .. import __version__
from ..config import MetricsOptions, TunnelConfig
from ..core import Group
from ..drivers.tcp_listeners import ListenAt, listen_places
from ..engine import Handle, Loop, ScrapePage, ScrapeServer, Supervisor
from ..keys import PublicKey
from ..observe import Counters
from ..observe.metrics import AgentMetrics, AgentView, DeviceMetrics, MetricSource, ScrapeMetrics, TunnelView
from .live_tunnel import LiveTunnel

_LOOK_S = 1.0
_LOOPBACK = ("127.0.0.1", "::1")
_THE_HOST = "the host itself"
# All that the host counts: a series that begins with its first event has no rate.
EVENTS = (
    "cluster_role_changed",
    "config_applied",
    "config_confirmed",
    "config_reverted",
    "interface_removed",
    "key_rotated",
    "underlay_changed",
)


class MetricsEndpoint:
    """wall_clock: seconds since 1970. sources: of other rooms, beside the agent's and the tunnel's own."""

    def __init__(
        self,
        live: LiveTunnel,
        loop: Loop,
        counters: Counters,
        supervisor: Supervisor,
        wall_clock: Callable[[], float],
        sources: tuple[MetricSource, ...] = (),
    ) -> None:
        self._live = live
        self._loop = loop
        self._counters = counters
        self._supervisor = supervisor
        self._started_at = wall_clock()
        self._timer: Handle | None = None
        self._server: ScrapeServer | None = None
        own = (AgentMetrics(self._agent), ScrapeMetrics(self._scrapes), DeviceMetrics(self._tunnel))
        self.sources: tuple[MetricSource, ...] = (*own, *sources)

    @property
    def places(self) -> frozenset[ListenAt]:
        """Where it listens now."""
        return frozenset() if self._server is None else self._server.places

    def start(self) -> None:
        """Look now, and every second from now on."""
        self._timer = self._loop.call_at(self._loop.now() + _LOOK_S, self.start)
        options = self._options
        if options is not None and self._server is None:
            self._server = self._made_server()
        if self._server is not None:
            self._server.listen_at(() if options is None else tuple(self._wanted(options)))
        if options is None:
            self._close_server()

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close_server()

    @property
    def _options(self) -> MetricsOptions | None:
        config = self._live.config
        return None if config is None else config.options.metrics

    def _made_server(self) -> ScrapeServer:
        # Not before somebody wants metrics: the library takes some time and megabytes.
        from ..observe.metrics.rendering import CONTENT_TYPE, render_pieces

        def render() -> Iterator[bytes]:
            return render_pieces(self.sources)

        return ScrapeServer(self._loop, ScrapePage(self._loop, render), CONTENT_TYPE, self._admit)

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _wanted(self, options: MetricsOptions) -> Iterator[ListenAt]:
        """Link-local addresses would need a scope, and who knows them is nobody that scrapes."""
        tunnel, config = self._live.tunnel, self._live.config
        if "loopback" in options.listen:
            yield from (ListenAt(address, options.port) for address in _LOOPBACK)
        if "overlay" in options.listen and tunnel is not None and config is not None:
            for address in dict.fromkeys(interface.ip for interface in config.interface.addresses):
                if _is_of_one_host(address):
                    yield from listen_places(str(address), options.port, tunnel.name)

    def _admit(self, at: ListenAt, source: str) -> Hashable | None:
        """The host itself; on overlay addresses whoever owns the source: packets of nobody else come with it.

        On a spoke that is its hubs for the whole overlay, and there each address is a caller.
        """
        address = ipaddress.ip_address(source)
        if ipaddress.ip_address(at.address).is_loopback:
            return _THE_HOST if address.is_loopback else None
        tunnel, config = self._live.tunnel, self._live.config
        if tunnel is None or config is None:
            return None
        if any(address == interface.ip for interface in config.interface.addresses):
            return _THE_HOST
        owner = tunnel.device.allowed_ips.lookup(address.packed)
        return address if isinstance(owner, Group) and owner.direct is None else owner

    def _agent(self) -> AgentView:
        return AgentView(
            version=__version__,
            python=platform.python_version(),
            platform=sys.platform,
            started_at=self._started_at,
            events=dict.fromkeys(EVENTS, 0) | self._counters.snapshot(),
            callback_failures=self._supervisor.failures,
        )

    def _scrapes(self) -> dict[str, int]:
        return {} if self._server is None else dict(self._server.counts)

    def _tunnel(self) -> TunnelView | None:
        tunnel, config = self._live.tunnel, self._live.config
        if tunnel is None or config is None or config.options.metrics is None:
            return None
        return TunnelView(
            name=tunnel.name,
            device=tunnel.device,
            counts=tunnel.counts,
            receive_errors=tunnel.udp.receive_errors,
            now=self._loop.now(),
            host=config.options.host,
            role=config.options.role,
            names=_names(config),
            is_per_peer=config.options.metrics.is_per_peer,
            shows_endpoints=config.options.metrics.shows_endpoints,
        )


def _is_of_one_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local)


def _names(config: TunnelConfig) -> dict[PublicKey, str]:
    return {peer.public_key: peer.name for peer in config.peers if peer.name is not None}
