# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whatever is done to groups, prefixes and peers: routes are those of a list that is searched one by one."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from wirefleet_agent.core import Device, Prefix, accepts, stamp_of
from wirefleet_agent.keys import PrivateKey, PublicKey

NAMES = st.sampled_from(["hubs", "sites", "third"])
# Few bits, so that prefixes nest and meet.
PREFIXES = st.builds(
    lambda bits, length: ipaddress.ip_network((0x0A000000 | bits << 22, length), strict=False),
    st.integers(0, 15),
    st.sampled_from([0, 8, 9, 10]),
) | st.builds(
    lambda bits, length: ipaddress.ip_network((0xFD << 120 | bits << 112, length), strict=False),
    st.integers(0, 7),
    st.sampled_from([0, 8, 14, 15, 16]),
)
ADDRESSES = [ipaddress.ip_address(0x0A000001 | bits << 22) for bits in range(16)] + [
    ipaddress.ip_address(0xFD << 120 | bits << 112 | 1) for bits in range(8)
]
OWN = ipaddress.ip_address("192.0.2.99").packed
ELSE = ipaddress.ip_address("192.0.2.98").packed


@dataclass
class Model:
    """What is configured, in the plainest words: owners are names of groups, or keys of peers."""

    owners: dict[Prefix, str | PublicKey] = field(default_factory=dict)
    members: dict[str, list[PublicKey]] = field(default_factory=dict)
    active: dict[str, PublicKey] = field(default_factory=dict)
    direct: dict[str, PublicKey | None] = field(default_factory=dict)
    gateways: dict[str, list[PublicKey]] = field(default_factory=dict)

    def owner(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | PublicKey | None:
        matching = [prefix for prefix in self.owners if prefix.version == address.version and address in prefix]
        best = max(matching, key=lambda prefix: prefix.prefixlen, default=None)
        return None if best is None else self.owners[best]

    def remove_group(self, name: str) -> None:
        for table in (self.members, self.active, self.direct, self.gateways):
            table.pop(name, None)  # type: ignore[attr-defined]
        self.owners = {prefix: owner for prefix, owner in self.owners.items() if owner != name}

    def remove_peer(self, key: PublicKey) -> None:
        self.owners = {prefix: owner for prefix, owner in self.owners.items() if owner != key}
        for name, members in list(self.members.items()):
            if key in members:
                members.remove(key)
                gateways = self.gateways[name] = [each for each in self.gateways[name] if each != key]
                if not members or (self.direct[name] == key and not gateways):
                    self.remove_group(name)
                    continue
                if self.direct[name] == key:
                    self.direct[name] = gateways[0]
                if self.active[name] == key:
                    self.active[name] = members[0]


class GroupsMachine(RuleBasedStateMachine):
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(5)
        self.device = Device(entropy=self.random.randbytes, tai64n_now=lambda: stamp_of(1_700_000_000, 0))
        self.device.set_private_key(PrivateKey(bytes([3]) * 32), 0)
        self.device.own_addresses = frozenset({OWN})
        self.model = Model()

    def new_peer(self) -> PublicKey:
        key = PublicKey(self.random.randbytes(32))
        self.device.add_peer(key, 0)
        return key

    @initialize(target=keys)
    def begin(self) -> object:
        return multiple(*(self.new_peer() for _ in range(3)))

    @rule(target=keys)
    def add_peer(self) -> PublicKey:
        return self.new_peer()

    @rule(key=consumes(keys))
    def remove_peer(self, key: PublicKey) -> None:
        self.device.remove_peer(key, 0)
        self.model.remove_peer(key)

    @rule(key=keys, prefix=PREFIXES)
    def insert(self, key: PublicKey, prefix: Prefix) -> None:
        self.device.allowed_ips.insert(prefix, self.device.peers[key])
        self.model.owners[prefix] = key

    @rule(key=keys, prefix=PREFIXES)
    def remove(self, key: PublicKey, prefix: Prefix) -> None:
        is_owner = self.model.owners.get(prefix) == key
        assert self.device.allowed_ips.remove(prefix, self.device.peers[key]) is is_owner
        if is_owner:
            del self.model.owners[prefix]

    @rule(
        name=NAMES,
        keys=st.lists(keys, min_size=1, max_size=4, unique=True),
        prefixes=st.lists(PREFIXES),
        data=st.data(),
    )
    def set_group(self, name: str, keys: list[PublicKey], prefixes: list[Prefix], data: st.DataObject) -> None:
        active = data.draw(st.sampled_from(keys))
        direct = data.draw(st.sampled_from([None, *keys]))
        gateways: list[PublicKey] = []
        if direct is not None and data.draw(st.booleans()):
            gateways = [key for key in keys if key == direct or data.draw(st.booleans())]
        self.device.set_group(name, keys, prefixes, active=active, direct=direct, gateways=gateways, now=0)
        self.model.remove_group(name)
        self.model.gateways[name] = gateways
        self.model.members[name], self.model.active[name], self.model.direct[name] = list(keys), active, direct
        self.model.owners |= dict.fromkeys(prefixes, name)

    @rule(name=NAMES)
    def remove_group(self, name: str) -> None:
        self.device.remove_group(name, 0)
        self.model.remove_group(name)

    @rule(name=NAMES, data=st.data())
    def switch(self, name: str, data: st.DataObject) -> None:
        if name not in self.model.members:
            return
        to = data.draw(st.sampled_from(self.model.members[name]))
        direct = data.draw(st.sampled_from([None, *self.model.gateways[name]]))
        self.device.switch(self.device.groups[name], to, 0, direct=direct)
        self.model.active[name] = to
        self.model.direct[name] = direct or self.model.direct[name]

    @invariant()
    def outbound_goes_where_the_model_says(self) -> None:
        for address in ADDRESSES:
            owner = self.model.owner(address)
            for source in (OWN, ELSE):
                wanted = owner
                if isinstance(owner, str):
                    direct = self.model.direct[owner]
                    wanted = direct if direct is not None and source == OWN else self.model.active[owner]
                peer = self.device._groups.member_for(source, address.packed)
                assert (peer.public_key if peer else None) == wanted, address

    @invariant()
    def inbound_is_taken_from_whom_the_model_says(self) -> None:
        for address in ADDRESSES:
            owner = self.model.owner(address)
            wanted = self.model.members[owner] if isinstance(owner, str) else [owner]
            found = self.device.allowed_ips.lookup(address.packed)
            assert {key for key, peer in self.device.peers.items() if accepts(found, peer)} == set(wanted) - {None}

    @invariant()
    def every_prefix_is_listed_once_at_its_owner(self) -> None:
        listed = [(prefix, key) for key, peer in self.device.peers.items() for prefix in peer.allowed_ips]
        listed += [(prefix, name) for name, group in self.device.groups.items() for prefix in group.prefixes]  # type: ignore[misc]
        assert len(listed) == len(self.model.owners)
        assert dict(listed) == self.model.owners
        shown = [prefix for peer in self.device.peers.values() for prefix in self.device.prefixes_to(peer)]
        assert sorted(map(str, shown)) == sorted(map(str, self.model.owners))

    @invariant()
    def gateways_are_those_of_the_model(self) -> None:
        for name, group in self.device.groups.items():
            assert [peer.public_key for peer in group.gateways] == self.model.gateways[name]

    @invariant()
    def every_peer_knows_its_groups(self) -> None:
        for key, peer in self.device.peers.items():
            names = {group.name for group in self.device.groups_of(peer)}
            assert names == {name for name, members in self.model.members.items() if key in members}


TestGroups = GroupsMachine.TestCase
TestGroups.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
