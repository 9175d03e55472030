# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Runs heartbeats beside the daemon's tunnel, as its configuration says, and reports on them.

``[heartbeat]`` switches them on. The groups themselves are the device's, made by whoever applies the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ..config import Prefix, TunnelConfig, grouped_prefixes
from ..core import Entropy
from ..engine import Loop, Tunnel
from ..engine.ha_loop import HaLoop
from ..engine.ha_settings import (
    GroupReport,
    GroupSettings,
    HaContext,
    HaCounters,
    HaSettings,
    HubState,
    MemberReport,
    SiteReport,
    SpokeReport,
)
from ..keys import PublicKey
from .control_protocol import Json
from .deadline import BootClock
from .live_tunnel import LiveTunnel, OpenTunnel

_JITTER_BYTES = 6


class Redundancy:
    """Owns at most one HaLoop: that of the live tunnel. ha: None without heartbeats."""

    def __init__(self, live: LiveTunnel, loop: Loop, state: HubState, entropy: Entropy, clock: BootClock) -> None:
        self.ha: HaLoop | None = None
        self._live = live
        self._loop = loop
        self._state = state
        self._entropy = entropy
        self._clock = clock
        self._tunnel: Tunnel | None = None
        live.on_settled = self._settled
        live.on_closing = self.stop

    def host_resumed(self) -> None:
        """The host slept, or Windows says that the network is another one."""
        if self.ha is not None:
            self.ha.host_resumed()

    def stop(self) -> None:
        """Idempotent."""
        if self._tunnel is not None:
            self._tunnel.on_underlay_moved = None
        if self.ha is not None:
            self.ha.stop()
        self.ha = self._tunnel = None

    def answers(self) -> dict[PublicKey, bool]:
        """The peers that heartbeats go to, and whether they answer now."""
        if self.ha is None:
            return {}
        members = [member for group in self.ha.group_reports() for member in group.members]
        return {member.key: member.state == "alive" for member in (*members, *self.ha.relay_reports())}

    def status(self, groups: Iterable[Mapping[str, object]] = ()) -> Json:
        """For ``status``. groups: as the device tells them; those that are watched get more.

        relays, spokes and heartbeats are None where there are no heartbeats.
        """
        if self.ha is None:
            return {"groups": list(groups), "relays": None, "spokes": None, "heartbeats": None}
        watched: dict[str, GroupReport | SiteReport] = {report.name: report for report in self.ha.group_reports()}
        watched |= {report.name: report for report in self.ha.site_reports()}
        return {
            "groups": [_group_json(group, watched.get(str(group["name"]))) for group in groups],
            "relays": [_member_json(report) for report in self.ha.relay_reports()],
            "spokes": [_spoke_json(report) for report in self.ha.spoke_reports()],
            "heartbeats": _counters_json(self.ha.counters)
            | {"is_draining": self._state.draining, "epoch": self._state.epoch, "using_us": self.ha.spokes_using_us},
        }

    def _settled(self, opened: OpenTunnel, config: TunnelConfig) -> None:
        """The tunnel is as configured now."""
        settings = settings_of(config)
        if settings is None:
            self.stop()
            return
        if self.ha is not None and self._tunnel is opened.tunnel:
            self.ha.configure(settings)
            return
        self.stop()
        self._tunnel = opened.tunnel
        self.ha = HaLoop(self._loop, opened.tunnel, opened.heartbeats, self._context())
        self.ha.configure(settings)
        self.ha.start()
        opened.tunnel.on_underlay_moved = self.ha.underlay_moved

    def _context(self) -> HaContext:
        # The wall clock makes switch counts grow across restarts, and nothing else here hangs on it.
        return HaContext(
            jitter=_jitter(self._entropy),
            instance=int.from_bytes(self._entropy(4), "big"),
            first_count=int(self._clock.wall()),
            state=self._state,
            reconnect=self._live.reconnect,
        )


def settings_of(config: TunnelConfig) -> HaSettings | None:
    """None: no heartbeats. A peer's address is its first /32 and its first /128 that are no group's and no site's."""
    options = config.options
    if options.heartbeat is None:
        return None
    grouped = grouped_prefixes(options)
    return HaSettings(
        port=options.heartbeat.port,
        interval_s=options.heartbeat.interval_ms / 1000,
        misses=options.heartbeat.misses,
        own_addresses=tuple(address.ip.packed for address in config.interface.addresses),
        addresses={
            peer.public_key: tuple(_own_addresses(peer.allowed_ips, grouped))
            for peer in config.peers
            if peer.allowed_ips
        },
        groups={group.name: GroupSettings(group.policy, float(group.hold_s)) for group in options.groups},
        relays=() if options.relays is None else options.relays.members,
        sites=frozenset(site.name for site in options.sites),
    )


def _own_addresses(prefixes: tuple[Prefix, ...], grouped: set[Prefix]) -> Iterator[bytes]:
    for version in (4, 6):
        for prefix in prefixes:
            if prefix.version == version and prefix.prefixlen == prefix.max_prefixlen and prefix not in grouped:
                yield prefix.network_address.packed
                break


def _jitter(entropy: Entropy) -> Callable[[], float]:
    return lambda: int.from_bytes(entropy(_JITTER_BYTES), "big") / 2 ** (8 * _JITTER_BYTES)


def _key(key: PublicKey | None) -> str | None:
    return None if key is None else str(key)


def _member_json(report: MemberReport) -> Json:
    values: Json = {name: value for name, value in vars(report).items() if name != "key"}
    return {"public_key": str(report.key)} | values


def _group_json(group: Mapping[str, object], report: GroupReport | SiteReport | None) -> Json:
    if report is None:
        return dict(group)
    if isinstance(report, SiteReport):
        return dict(group) | _site_json(report)
    members = [_member_json(member) for member in report.members]
    return dict(group) | {"policy": report.policy, "switches": report.switches, "members": members}


def _site_json(report: SiteReport) -> Json:
    gateways = [
        {"public_key": str(each.key), "is_heard": each.is_heard, "hears_us": each.hears_us, "is_well": each.is_well}
        for each in report.gateways
    ]
    found: Json = {"switches": report.switches, "via": _key(report.via), "reason": report.reason}
    return found | {"gateways": gateways}


def _spoke_json(report: SpokeReport) -> Json:
    return {
        "public_key": str(report.key),
        "is_heard": report.is_heard,
        "hears_us": report.hears_us,
        "via": _key(report.via),
        "reason": report.reason,
    }


def _counters_json(counters: HaCounters) -> Json:
    plain = {name: value for name, value in vars(counters).items() if isinstance(value, int)}
    return plain | {
        "dropped": dict(sorted(counters.dropped.items())),
        "switches": {f"{kind}_{reason}": count for (kind, reason), count in sorted(counters.switches.items())},
    }
