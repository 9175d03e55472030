# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Redundancy at work: heartbeats inside the tunnel, decisions, switches. One object per tunnel, on the tunnel's loop.

====================  ==============================================================================================
who                   does what
====================  ==============================================================================================
every host            answers heartbeats of its peers, a limited number per second and peer
a spoke, a hub        asks the members of its groups, or the other hubs, every interval; calls those that are down
a spoke               decides which hub each group uses, switches, and says so; probes whether that hub forwards
a hub                 follows what spokes say, tells the other hubs which spokes use it, chooses the gateways of sites
====================  ==============================================================================================

A heartbeat is believed because of where it comes from: an overlay address that the tunnel lets only this peer send
from, and the port that its agent holds. What comes from elsewhere is counted and dropped.

If a turn comes so late that the answers may lie unread, because this process or its host stood still, nobody is
declared down before he was asked again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import structlog

from ..core import Group, Peer
from ..drivers.interfaces import Heartbeat, HeartbeatDriver
from ..ha.messages import Claims, Flag, Reply, Request
from ..ha.probes import Probes
from ..keys import PublicKey
from .ha_groups import GroupKeeper
from .ha_hub import HubSide
from .ha_inbox import NOT_ALLOWED, UNEXPECTED_REPLY, Inbox
from .ha_members import Member, Members
from .ha_sender import Sender
from .ha_settings import GroupReport, HaContext, HaCounters, HaSettings, MemberReport, SiteReport, SpokeReport
from .ha_sockets import HeartbeatSockets
from .loop import Handle, Loop
from .tunnel import Tunnel

_CLAIM_DELAY_S = 0.01  # claims that change in one moment share datagrams

_log = structlog.get_logger(room="engine")


class HaLoop:
    """``start``, ``stop``; ``configure`` may be called again while it runs, and keeps what is known."""

    _members: Members

    def __init__(self, loop: Loop, tunnel: Tunnel, driver: HeartbeatDriver, context: HaContext) -> None:
        self.counters = HaCounters()
        self._loop = loop
        self._tunnel = tunnel
        self._device = tunnel.device
        self._context = context
        self._instance = context.instance
        self._inbox = Inbox(self.counters.dropped)
        self._driver = driver
        self._sender = Sender(tunnel, driver, context, self.counters)
        self._sockets = HeartbeatSockets(loop, driver, tunnel.name, self._read)
        self._settings: HaSettings | None = None
        self._hub: HubSide | None = None
        self._instances: dict[PublicKey, int] = {}
        self._timer: Handle | None = None
        self._claim_timer: Handle | None = None
        self._interval_at = -math.inf
        self._is_running = False

    # Life

    def configure(self, settings: HaSettings) -> None:
        """Before ``start`` or while it runs. The groups of the device have to be there already."""
        now, before, self._settings = self._loop.now(), self._settings, settings
        if before is None or (before.interval_s, before.misses) != (settings.interval_s, settings.misses):
            context = self._context
            count = context.first_count if before is None else self._members.highest_count + 1
            # To others it is as a restart: sequences begin again.
            self._instance = (self._instance + 1) % 2**32
            self._members = Members(settings.interval_s, settings.misses, context.jitter, self._instance, count)
            self._probes = Probes(settings.interval_s, settings.misses)
            self._groups = GroupKeeper(self._tunnel, self._members, self.counters)
            self._hub = None
        self._inbox.configure(settings, now)
        self._sender.settings = settings
        groups = self._device.groups.values()
        ours = [group for group in groups if group.name in settings.groups]
        self._members.set_members(
            [*(peer.public_key for group in ours for peer in group.members), *settings.relays], now
        )
        self._groups.set_groups({group.name: settings.groups[group.name] for group in ours}, now)
        self._configure_hub(
            [group for group in groups if group.direct is not None or group.name in settings.sites], now
        )
        if self._is_running:
            if before is None or (before.port, before.own_addresses) != (settings.port, settings.own_addresses):
                self._sockets.open(settings)
            self._reschedule()

    def _configure_hub(self, groups: Sequence[Group], now: float) -> None:
        me, settings = self._device.public_key, self._settings
        assert settings is not None
        if me is None or not (groups or settings.relays):
            self._hub = None
            return
        if self._hub is None or self._hub.me != me:
            self._hub = HubSide(
                self._device,
                me,
                interval_s=settings.interval_s,
                misses=settings.misses,
                counters=self.counters,
                on_switched=self._tunnel.flush,
                now=now,
            )
        self._hub.set_groups(groups, settings.sites, now)

    def start(self) -> None:
        """After ``configure``."""
        assert self._settings is not None
        self._is_running = True
        self._tunnel.on_handshake = self._handshake_completed
        self._sockets.open(self._settings)
        self._reschedule()

    def stop(self) -> None:
        """Idempotent. The groups stay as they are."""
        if not self._is_running:
            return
        self._is_running = False
        self._tunnel.on_handshake = None
        for timer in (self._timer, self._claim_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._claim_timer = None
        self._sockets.close()

    def host_resumed(self) -> None:
        """The host slept: ask everybody now, call everybody, blame nobody."""
        if self._settings is not None and self._is_running:
            self._excuse(self._loop.now())
            self.underlay_moved()

    def underlay_moved(self) -> None:
        """An address or route of the underlay is another one now: ask and call everybody at once."""
        if self._settings is None or not self._is_running:
            return
        now = self._loop.now()
        for member in self._members.by_key.values():
            member.backoff.reset()
            self._call(member, now)
            self._ask(member, now, is_urgent=True)
        self._tunnel.flush()
        self._reschedule()

    # Reports

    @property
    def spokes_using_us(self) -> int:
        """On a hub: the spokes that say so. A drained hub may go when there are none."""
        return 0 if self._hub is None else self._hub.using_us

    def group_reports(self) -> list[GroupReport]:
        return [] if self._settings is None else self._groups.reports(self._loop.now())

    def relay_reports(self) -> list[MemberReport]:
        """On a hub: what is known of the other hubs."""
        if self._settings is None:
            return []
        now = self._loop.now()
        return [self._members.by_key[key].report(now) for key in self._settings.relays if key in self._members.by_key]

    def spoke_reports(self) -> list[SpokeReport]:
        return [] if self._hub is None else self._hub.reports(self._loop.now())

    def site_reports(self) -> list[SiteReport]:
        """On a hub: LANs behind several spokes."""
        return [] if self._hub is None else self._hub.site_reports(self._loop.now())

    # Turns

    def _turn(self) -> None:
        assert self._settings is not None
        now = self._loop.now()
        if self._timer is not None and now - self._timer.when >= self._settings.interval_s:
            _log.info("heartbeats_excused", tunnel=self._tunnel.name, late_s=round(now - self._timer.when, 3))
            self._excuse(now, now - self._timer.when + self._settings.interval_s)
        self._timer = None
        try:
            self._do_what_is_due(now)
        finally:  # a mistake of ours must not end the heartbeats: the supervisor logs it and counts
            self._reschedule()

    def _do_what_is_due(self, now: float) -> None:
        assert self._settings is not None
        if not self._device.is_up:
            # Nobody can answer while the link is down, and nobody is to blame for it.
            self._excuse(now)
            return
        for member in tuple(self._members.by_key.values()):
            self._look_at(member, now)
        self._probe(now)
        self._decide(now)
        if now >= self._interval_at:
            self._interval_at = now + self._settings.interval_s
            if self._hub is not None:
                self._sender.claims(self._alive_relays(), self._hub.turn(now))

    def _excuse(self, now: float, grace_s: float | None = None) -> None:
        self._members.excuse(now, grace_s)
        if self._hub is not None:
            self._hub.excuse(now)

    def _look_at(self, member: Member, now: float) -> None:
        if member.liveness.check(now):
            self._went_down(member, now)
        if member.liveness.next_request(now) <= now:
            self._sender.request(self._members, member, now)
        if member.attempt_at <= now:
            self._call(member, now)

    def _reschedule(self) -> None:
        assert self._settings is not None
        now = self._loop.now()
        wake = max(now, min(self._members.next_wake(now), self._interval_at, now + self._settings.interval_s))
        if not self._device.is_up:
            wake = now + self._settings.interval_s
        if self._timer is not None:
            if self._timer.when == wake:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(wake, self._turn)

    def _decide(self, now: float) -> None:
        """Let the groups decide; who switched tells its new hub at once, and the others when that has answered."""
        for to in self._groups.decide(now):
            member = self._members.by_key[to]
            self._ask(member, now, is_urgent=True)

    def _went_down(self, member: Member, now: float) -> None:
        self.counters.members_down += 1
        member.note_wellness(now)
        self._probes.forget(member.key)
        member.is_broken = False
        member.attempt_at = now
        _log.warning("member_down", tunnel=self._tunnel.name, peer=str(member.key))
        self._hubs_changed(now)

    def _came_up(self, member: Member, now: float) -> None:
        member.backoff.reset()
        member.attempt_at = math.inf
        _log.info("member_alive", tunnel=self._tunnel.name, peer=str(member.key))
        self._hubs_changed(now)
        self._tell_everything(member.key)

    def _hubs_changed(self, now: float) -> None:
        if self._hub is not None and self._settings is not None:
            self._hub.hubs_alive(self._alive_relays(), now)

    def _alive_relays(self) -> list[PublicKey]:
        assert self._settings is not None
        members = self._members.by_key
        return [key for key in self._settings.relays if key in members and members[key].is_alive]

    # Asking

    def _ask(self, member: Member, now: float, *, is_urgent: bool = False) -> None:
        if is_urgent or not self._members.is_due_soon(member, now):
            self._sender.request(self._members, member, now)

    def _call(self, member: Member, now: float) -> None:
        """An attempt to reach a member that is down; the next one after a longer while."""
        self.counters.reconnects += 1
        if not member.is_alive:
            member.attempt_at = now + member.backoff.next_delay_s()
        self._context.reconnect(member.key)

    def _probe(self, now: float) -> None:
        """Not over relays: a hub takes another hub's address from that hub alone, so none forwards for another one."""
        assert self._settings is not None
        alive = self._members.alive()
        vias = {group.active.public_key for group in self._groups} | self._probes.broken
        for via in (vias & set(alive)).difference(self._settings.relays):
            targets = [key for key in alive if key != via and self._groups.is_sibling(key, via)]
            probe = self._probes.next_probe(via, targets, now)
            if probe is not None:
                self._sender.probe(probe, now)
            if self._probes.check(via, alive, now):
                member = self._members.by_key[via]
                member.is_broken = True
                member.note_wellness(now)
                _log.warning("member_broken", tunnel=self._tunnel.name, peer=str(via))

    def _tell_news(self) -> None:
        self._claim_timer = None
        if self._hub is not None:
            self._sender.claims(self._alive_relays(), self._hub.spokes.own.news())

    def _tell_everything(self, hub: PublicKey) -> None:
        if self._hub is not None and self._settings is not None and hub in self._settings.relays:
            self._sender.claims((hub,), self._hub.spokes.own.everything())

    # Hearing

    def _read(self, fileno: int) -> None:
        now = self._loop.now()
        for heartbeat in self._driver.receive(fileno):
            accepted = self._inbox.accept(heartbeat, now)
            if accepted is None:
                continue
            key, message = accepted
            if isinstance(message, Request):
                self._answer(key, message, heartbeat, now)
            elif isinstance(message, Reply):
                self._take_reply(key, message, now)
            else:
                self._take_claims(key, message, now)

    def _answer(self, key: PublicKey, request: Request, heartbeat: Heartbeat, now: float) -> None:
        """A probe says nothing of the way from the spoke to us: it is answered, and that is all."""
        self.counters.requests_received += 1
        self._sender.reply(heartbeat, key, request)
        if Flag.PROBE in request.flags or self._hub is None or self._settings is None:
            return
        if key in self._hub:
            if self._hub.request(key, request, now) and self._claim_timer is None:
                self._claim_timer = self._loop.call_at(now + _CLAIM_DELAY_S, self._tell_news)
        elif key in self._settings.relays and self._instances.get(key) != request.instance:
            self._instances[key] = request.instance
            self._hub.hub_restarted(key, now)
            self._tell_everything(key)

    def _take_reply(self, key: PublicKey, reply: Reply, now: float) -> None:
        if Flag.PROBE in reply.flags:
            self._take_probe_reply(key, reply, now)
            return
        member = self._members.by_key.get(key)
        before = None if member is None else (member.is_alive, member.is_draining, member.override)
        is_answer, tells_others = (False, False) if member is None else self._members.take_reply(member, reply, now)
        if member is None or not is_answer:
            self.counters.dropped[UNEXPECTED_REPLY] += 1
            return
        self.counters.replies_received += 1
        if (member.is_alive, member.is_draining, member.override) != before:
            if before is not None and not before[0]:
                self._came_up(member, now)
            self._decide(now)
            self._reschedule()
        if tells_others:
            for other in self._members.by_key.values():
                if other is not member and self._groups.is_sibling(other.key, key):
                    self._ask(other, now, is_urgent=True)

    def _take_probe_reply(self, key: PublicKey, reply: Reply, now: float) -> None:
        via = self._probes.reply(key, reply.sequence)
        member = None if via is None else self._members.by_key.get(via)
        if member is None:
            self.counters.dropped[UNEXPECTED_REPLY] += 1
            return
        self.counters.probes_answered += 1
        if member.is_broken:
            member.is_broken = False
            member.note_wellness(now)
            _log.info("member_forwards_again", tunnel=self._tunnel.name, peer=str(via))

    def _take_claims(self, key: PublicKey, message: Claims, now: float) -> None:
        if self._hub is None or self._settings is None or key not in self._settings.relays:
            self.counters.dropped[NOT_ALLOWED] += 1
            return
        self.counters.claims_received += len(message.claims)
        self._hub.claims(key, message.claims, now)

    def _handshake_completed(self, peer: Peer) -> None:
        """A new session: ask at once, since this may be the first one or the one after a long silence."""
        member = self._members.by_key.get(peer.public_key)
        if member is not None and not member.is_alive:
            # Not inside of the core's own outputs.
            self._loop.call_soon(partial(self._ask_again, member))

    def _ask_again(self, member: Member) -> None:
        if self._is_running and self._members.by_key.get(member.key) is member:
            self._ask(member, self._loop.now())
