# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One running tunnel: a device, its drivers and the pump between them, on one loop.

The link decides: up opens the sockets and starts the peers, down closes and stops them, removal ends the tunnel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import structlog

from ..core import Device, HandshakeCompleted, Peer
from ..drivers.interfaces import LinkEvent, RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from ..errors import DriverError
from ..observe import TunnelCounts, drop_counts
from .collector import let_go
from .loop import Handle, Loop
from .pump import HandshakeEvent, Pump

_LINK_POLL_S = 1.0  # where the platform's events do not reach; also finds an interface that was moved
_BIND_RETRY_S = 2.0
_SETTLE_S = 0.2  # routes change in flocks

_log = structlog.get_logger(room="engine")


class Tunnel:
    """Takes over the drivers and closes them in ``stop``.

    on_removed: somebody deleted the interface; called once, from the loop. on_handshake: a session began.
    on_unreachable: 20 initiations went unanswered (checklist 19). on_underlay_moved: packets of the underlay may go
    another way now; told once changes have settled, from the loop.
    """

    def __init__(
        self,
        loop: Loop,
        device: Device,
        tun: TunDriver,
        udp: UdpDriver,
        *,
        routes: RoutesDriver | None = None,
        monitor: UnderlayMonitor | None = None,
    ) -> None:
        self.device = device
        self.tun = tun
        self.udp = udp
        self.routes = routes
        self.on_removed: Callable[[], None] | None = None
        self.on_handshake: Callable[[Peer], None] | None = None
        self.on_unreachable: Callable[[Peer], None] | None = None
        self.counts = TunnelCounts()
        self.on_underlay_moved: Callable[[], None] | None = None
        self._loop = loop
        self._monitor = monitor
        self._pump = Pump(loop, device, tun, udp, self._handshake_event, self._read_failed)
        self._listen_port = 0
        self._fwmark = 0
        self._is_link_up = False
        self._is_running = False
        self._udp_filenos: tuple[int, ...] = ()
        self._events_fileno = -1
        self._timers: dict[str, Handle] = {}

    @property
    def name(self) -> str:
        return self.tun.name

    @property
    def is_up(self) -> bool:
        """The link is up and the sockets are open."""
        return self.device.is_up

    @property
    def listen_port(self) -> int:
        """The bound port; while down the one that will be bound, 0 for any."""
        return self.udp.port or self._listen_port

    def set_listen_port(self, port: int) -> None:
        """Move to another port, 0 for any free one. Raises DriverError, EADDRINUSE mostly, and stays where it was."""
        if self._is_link_up:
            self._unwatch_udp()
            try:
                self.udp.open(port)
            finally:
                self._watch_udp()
            self._listen_port = self.udp.port
            self._start_device()
        else:
            if port:
                self.udp.open(port)  # only to find out: a tunnel that is down does not listen
                self.udp.close()
            self._listen_port = port
        self.device.clear_sticky_sources()
        self.flush()

    def rebind(self) -> None:
        """Fresh sockets on the same port, and no memory of which local addresses served; while down nothing."""
        if self._is_link_up:
            self._unwatch_udp()
            self.udp.close()
            self._go_up()
        self._clear_sources()

    @property
    def fwmark(self) -> int:
        return self._fwmark

    def set_fwmark(self, mark: int) -> None:
        """0 is none. Raises DriverError."""
        self.udp.set_fwmark(mark)
        self._fwmark = mark
        self.device.clear_sticky_sources()

    def start(self) -> None:
        """Begin to move packets, as far as the link is up."""
        self._is_running = True
        self._loop.add_reader(self.tun.fileno(), self._pump.read_tun)
        if self._monitor is not None:
            self._loop.add_reader(self._monitor.fileno(), self._underlay_changed)
        self._check_link()

    def stop(self) -> None:
        """Stop, let go of all keys of all sessions, and close the drivers. Idempotent."""
        if not self._is_running:
            return
        self._is_running = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._go_down()
        self._pump.stop()
        self._loop.remove_reader(self.tun.fileno())
        self._loop.remove_reader(self._events_fileno)
        if self._monitor is not None:
            self._loop.remove_reader(self._monitor.fileno())
            self._monitor.close()
        if self.routes is not None:
            self.routes.close()
        self.tun.close()
        let_go()
        # wg(8) has no place for the drop counters; here the log tells them.
        _log.info("tunnel_stopped", tunnel=self.name, drops=drop_counts(self.device.drops))

    def flush(self) -> None:
        """After any call to the device from outside: send what it has and keep its deadlines."""
        if self._is_running:
            self._pump.flush()

    def _check_link(self) -> None:
        for event in self.tun.link_events():
            self._link_event(event)
        if not self._is_running:
            return
        fileno = self.tun.events_fileno()
        if fileno != self._events_fileno:
            self._loop.remove_reader(self._events_fileno)
            self._events_fileno = fileno
            if fileno >= 0:
                self._loop.add_reader(fileno, self._check_link)
        self._call_later("link", _LINK_POLL_S, self._check_link)

    def _link_event(self, event: LinkEvent) -> None:
        if event is LinkEvent.UP:
            self._is_link_up = True
            self._go_up()
        elif event is LinkEvent.DOWN:
            self._go_down()
            _log.info("tunnel_down", tunnel=self.name)
        elif event is LinkEvent.MTU_CHANGED:
            self._pump.set_mtu(self.tun.mtu_bytes)
            _log.info("mtu_changed", tunnel=self.name, mtu_bytes=self.tun.mtu_bytes)
        else:
            self._removed()

    def _go_up(self) -> None:
        """Open the sockets and start the peers; while the port is taken, try again and again."""
        if not self._is_running or not self._is_link_up:
            return
        try:
            self.udp.open(self._listen_port)
        except DriverError as error:
            self.counts.bind_failures += 1
            _log.error("udp_bind_failed", tunnel=self.name, port=self._listen_port, error=str(error))
            self._call_later("bind", _BIND_RETRY_S, self._go_up)
            return
        self._listen_port = self.udp.port
        self._watch_udp()
        self._start_device()

    def _start_device(self) -> None:
        if self.device.is_up:
            return
        self.device.up(self._loop.now())
        self._pump.flush()
        _log.info(
            "tunnel_up",
            tunnel=self.name,
            port=self.udp.port,
            mtu_bytes=self.tun.mtu_bytes,
            tun_offloads=list(self.tun.offloads),
            udp_offloads=list(self.udp.offloads),
        )

    def _go_down(self) -> None:
        self._is_link_up = False
        self.device.down(self._loop.now())
        self._pump.flush()
        self._unwatch_udp()
        self.udp.close()

    def _removed(self) -> None:
        if not self._is_running:
            return
        _log.info("interface_removed", tunnel=self.name)
        self.stop()
        if self.on_removed is not None:
            self.on_removed()

    def _read_failed(self, error: DriverError) -> None:
        _log.debug("tun_read_failed", tunnel=self.name, error=str(error))
        self._removed()

    def _underlay_changed(self) -> None:
        """One look, then none for a moment: a host with many routes has storms of changes, and a look may cost."""
        if self._monitor is not None and self._monitor.has_changed():
            self._loop.remove_reader(self._monitor.fileno())
            self._call_later("underlay", _SETTLE_S, self._underlay_settled)

    def _underlay_settled(self) -> None:
        """What came meanwhile is dealt with now: heard later, it would cost sources that were learned since."""
        self.counts.underlay_changes += 1
        if self._monitor is not None:
            self._monitor.has_changed()
            self._loop.add_reader(self._monitor.fileno(), self._underlay_changed)
        self._clear_sources()
        if self.on_underlay_moved is not None:
            self.on_underlay_moved()

    def _clear_sources(self) -> None:
        self.udp.forget_sources()
        self.device.clear_sticky_sources()

    def _watch_udp(self) -> None:
        self._udp_filenos = self.udp.filenos()
        for fileno in self._udp_filenos:
            self._loop.add_reader(fileno, functools.partial(self._pump.read_udp, fileno))

    def _unwatch_udp(self) -> None:
        for fileno in self._udp_filenos:
            self._loop.remove_reader(fileno)
        self._udp_filenos = ()

    def _call_later(self, name: str, delay_s: float, callback: Callable[[], None]) -> None:
        """One timer per name; a new one takes the place of the old."""
        old = self._timers.pop(name, None)
        if old is not None:
            old.cancel()

        def fire() -> None:
            self._timers.pop(name, None)
            callback()

        self._timers[name] = self._loop.call_at(self._loop.now() + delay_s, fire)

    def _handshake_event(self, event: HandshakeEvent) -> None:
        peer = event.peer
        if isinstance(event, HandshakeCompleted):
            if event.is_initiator:
                self.counts.initiated += 1
            else:
                self.counts.responded += 1
            _log.debug("handshake_completed", tunnel=self.name, peer=str(peer.public_key), endpoint=str(peer.endpoint))
            if self.on_handshake is not None:
                self.on_handshake(peer)
        else:
            self.counts.given_up += 1
            _log.info("peer_unreachable", tunnel=self.name, peer=str(peer.public_key), endpoint=str(peer.endpoint))
            if self.on_unreachable is not None:
                self.on_unreachable(peer)
