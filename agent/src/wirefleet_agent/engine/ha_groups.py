# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The groups whose active member this host chooses: asks ``decide``, switches, remembers why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import structlog

from ..core import Group
from ..ha.decide import decide
from ..ha.policies import POLICIES
from ..ha.view import Reason, View
from ..keys import PublicKey
from .ha_members import Members
from .ha_settings import GroupReport, GroupSettings, HaCounters
from .tunnel import Tunnel

_log = structlog.get_logger(room="engine")


class GroupKeeper:
    """Of one tunnel. switches outlive a new configuration in ``Members``, as words.

    Groups are known by their names: others may have made a group anew, as ``wg setconf`` does.
    """

    def __init__(self, tunnel: Tunnel, members: Members, counters: HaCounters) -> None:
        self._tunnel = tunnel
        self._device = tunnel.device
        self._members = members
        self._counters = counters
        self._settings: dict[str, GroupSettings] = {}
        self._switches: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Group]:
        """Those that are there now."""
        return (self._device.groups[name] for name in self._settings if name in self._device.groups)

    def set_groups(self, settings: Mapping[str, GroupSettings], now: float) -> None:
        """Exactly these from now on, by name."""
        self._settings = dict(settings)
        self._members.forget_words(settings)
        for group in self:
            keys = [peer.public_key for peer in group.members]
            active = group.active.public_key
            self._members.set_word(group.name, keys, active)
            if self._members.words[group.name].active != active:
                self._members.words[group.name].switch(active, now)

    def is_sibling(self, one: PublicKey, other: PublicKey) -> bool:
        """Whether a group has both."""
        return any({one, other} <= {peer.public_key for peer in group.members} for group in self)

    def decide(self, now: float) -> list[PublicKey]:
        """Switch what is to be switched; the members that carry traffic now."""
        chosen = []
        for group in self:
            settings = self._settings[group.name]
            if any(peer.public_key not in self._members.by_key for peer in group.members):
                continue  # others made it another one: a new configuration is on its way
            decision = decide(self._view(group, settings, now), POLICIES[settings.policy], now)
            if decision.active != group.active.public_key:
                self._switch(group, decision.active, decision.reason, now)
                chosen.append(decision.active)
        if chosen:
            self._tunnel.flush()
        return chosen

    def reports(self, now: float) -> list[GroupReport]:
        found = []
        for group in self:
            settings = self._settings[group.name]
            keys = [peer.public_key for peer in group.members]
            members = tuple(self._members.by_key[key].report(now) for key in keys if key in self._members.by_key)
            active = group.active.public_key
            switches = self._switches[group.name]
            found.append(GroupReport(group.name, settings.policy, active, now - group.since, switches, members))
        return found

    def _view(self, group: Group, settings: GroupSettings, now: float) -> View:
        keys = [peer.public_key for peer in group.members]
        active = group.active.public_key
        views = tuple(self._members.by_key[key].view(is_active=key == active, now=now) for key in keys)
        return View(views, active, self._members.override(keys), settings.hold_s)

    def _switch(self, group: Group, to: PublicKey, reason: Reason, now: float) -> None:
        before = group.active.public_key
        silence_s = self._members.by_key[before].liveness.silence_s(now)
        self._device.switch(group, to, now)
        word = self._members.words[group.name]
        word.switch(to, now)
        self._switches[group.name] += 1
        self._counters.switches["group", reason.value] += 1
        _log.warning(
            "active_switched",
            tunnel=self._tunnel.name,
            group=group.name,
            before=str(before),
            after=str(to),
            reason=reason.value,
            silence_s=None if math.isinf(silence_s) else round(silence_s, 3),
            switch_count=word.switch_count,
        )
