# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Sends the heartbeats of one tunnel, and counts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..drivers.interfaces import Heartbeat, HeartbeatDriver
from ..ha.liveness import State
from ..ha.messages import Claim, Flag, Reply, Request, build_claims, build_reply, build_request
from ..ha.probes import Probe
from ..keys import PublicKey
from ..wire.udp import udp_packet
from .ha_members import Member, Members
from .ha_settings import HaContext, HaCounters, HaSettings
from .tunnel import Tunnel


class Sender:
    """settings is set before the first call."""

    settings: HaSettings

    def __init__(self, tunnel: Tunnel, driver: HeartbeatDriver, context: HaContext, counters: HaCounters) -> None:
        self._tunnel = tunnel
        self._driver = driver
        self._context = context
        self._counters = counters

    def request(self, members: Members, member: Member, now: float) -> None:
        """Its next question, which counts as asked even if it cannot leave."""
        state = self._context.state
        request = members.request(member, state.epoch, Flag.DRAINING if state.draining else Flag(0), now)
        peer = self._tunnel.device.peers.get(member.key)
        # A peer that is down and has no session would only get a heap of stale questions once it has one.
        if peer is None or (member.liveness.state is State.DOWN and not peer.has_session(now)):
            return
        self._counters.requests_sent += 1
        self._send(member.key, build_request(request))

    def reply(self, heartbeat: Heartbeat, key: PublicKey, request: Request) -> None:
        """To where the question came from."""
        state = self._context.state
        flags = (Flag.DRAINING if state.draining else Flag(0)) | (request.flags & Flag.PROBE)
        payload = build_reply(Reply(request.sequence, state.epoch, state.override_of(key), flags))
        if self._driver.send(payload, heartbeat.source, heartbeat.source_port, heartbeat.local):
            self._counters.replies_sent += 1
        else:
            self._counters.send_failures += 1

    def probe(self, probe: Probe, now: float) -> None:
        """Past our own kernel, to the peer that is to forward it."""
        peer, pair = self._tunnel.device.peers.get(probe.via), self._address_pair(probe.target)
        if peer is None or pair is None:
            return
        context = self._context
        request = Request(probe.sequence, epoch=context.state.epoch, instance=context.instance, flags=Flag.PROBE)
        packet = udp_packet(*pair, self.settings.port, build_request(request))
        self._counters.probes_sent += 1
        self._tunnel.device.send_to_peer(peer, packet, now)
        self._tunnel.flush()

    def claims(self, hubs: Iterable[PublicKey], messages: Sequence[Sequence[Claim]]) -> None:
        if not messages:
            return
        payloads = [build_claims(claims) for claims in messages]
        for hub in hubs:
            for payload in payloads:
                self._counters.claims_sent += 1
                self._send(hub, payload)

    def _send(self, key: PublicKey, payload: bytes) -> None:
        pair = self._address_pair(key)
        if pair is None or not self._driver.send(payload, pair[1], self.settings.port, pair[0]):
            self._counters.send_failures += 1

    def _address_pair(self, key: PublicKey) -> tuple[bytes, bytes] | None:
        """(our address, the peer's) of the first family that both have."""
        for theirs in self.settings.addresses.get(key, ()):
            for ours in self.settings.own_addresses:
                if len(ours) == len(theirs):
                    return ours, theirs
        return None
