# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Keys, texts and hypothesis strategies for configurations."""

from __future__ import annotations

import hashlib
import ipaddress
import string
from dataclasses import replace

from hypothesis import strategies as st
from wirefleet_agent.config import (
    AgentOptions,
    GroupConfig,
    HeartbeatConfig,
    HostPort,
    InterfaceConfig,
    MetricsOptions,
    PeerConfig,
    RelaysConfig,
    SiteConfig,
    TunnelConfig,
    parse,
)
from wirefleet_agent.config.ownership import first_addresses
from wirefleet_agent.config.values import is_domain_name
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey


def raw_key(name: str) -> bytes:
    """32 bytes that are the same in every run."""
    return hashlib.sha256(name.encode()).digest()


def public_key(name: str) -> PublicKey:
    return PublicKey(raw_key(f"public {name}"))


def private_key(name: str) -> PrivateKey:
    return PrivateKey(raw_key(f"private {name}"))


def preshared_key(name: str) -> PresharedKey:
    return PresharedKey(raw_key(f"preshared {name}"))


def prefixes(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def peer(name: str, /, *allowed_ips: str, **settings: object) -> PeerConfig:
    return PeerConfig(public_key(name), allowed_ips=prefixes(*allowed_ips), **settings)  # type: ignore[arg-type]


def interface(*addresses: str, **settings: object) -> InterfaceConfig:
    found = tuple(ipaddress.ip_interface(address) for address in addresses)
    return InterfaceConfig(addresses=found, **settings)  # type: ignore[arg-type]


def tunnel(*peers: PeerConfig, on: InterfaceConfig | None = None, **options: object) -> TunnelConfig:
    made = AgentOptions(**options)  # type: ignore[arg-type]
    return TunnelConfig("wf0", on or interface("10.86.0.1/24"), peers, made)


SECRETS = (private_key("hub").reveal_base64(), preshared_key("spoke").reveal_base64())
FULL_CONF = f"""\
# the whole vocabulary
[Interface]
PrivateKey = {SECRETS[0]}
ListenPort = 51820
FwMark = 0xca6c
Address = 10.86.0.1/24, fd86::1/64
Address = 10.87.0.1/32   # a second line adds
DNS = 10.86.0.53, fd86::53, example.net
MTU = 1400
Table = 1234

[Peer]
PublicKey = {public_key("spoke")}
PresharedKey = {SECRETS[1]}
Endpoint = [2001:db8::2]:51820
AllowedIPs = 10.86.0.2/32, fd86::2/128
AllowedIPs = 192.168.7.9/24
PersistentKeepalive = 25

[Peer]
PublicKey = {public_key("hub-2")}
Endpoint = hub-2.example.net:51821
"""
FULL_TOML = f"""\
schema = 1
[host]
name = "hub-1"
role = "hub"
forwarding = true
[logging]
level = "debug"
[peers]
"{public_key("spoke")}" = "spoke-1"
"""
HUBS = tuple(public_key(f"hub-{number}") for number in (1, 2, 3))
GROUP_CONF = f"""\
[Interface]
ListenPort = 51820
Address = 10.86.0.9/32, fd86::9/128

[Peer]
PublicKey = {HUBS[0]}
Endpoint = 192.0.2.1:51820
AllowedIPs = 10.86.0.1/32, fd86::1/128, 10.86.0.0/16, fd86::/64

[Peer]
PublicKey = {HUBS[1]}
Endpoint = 192.0.2.2:51820
AllowedIPs = 10.86.0.2/32, fd86::2/128

[Peer]
PublicKey = {HUBS[2]}
Endpoint = 192.0.2.3:51820
AllowedIPs = 10.86.0.3/32, fd86::3/128
"""
GROUP_TOML = f"""\
schema = 1
[heartbeat]
port = 51999
interval_ms = 100
misses = 4
[[groups]]
name = "hubs"
members = ["{HUBS[0]}", "{HUBS[1]}", "{HUBS[2]}"]
allowed_ips = ["10.86.0.0/16", "fd86::/64"]
policy = "priority_preempt"
hold_s = 60
"""
SPOKES = tuple(public_key(f"spoke-{number}") for number in (1, 2, 3))
RELAY_CONF = f"""\
[Interface]
ListenPort = 51820
Address = 10.86.0.1/32

[Peer]
PublicKey = {HUBS[1]}
AllowedIPs = 10.86.0.2/32

[Peer]
PublicKey = {HUBS[2]}
AllowedIPs = 10.86.0.3/32, 10.86.0.77/32

[Peer]
PublicKey = {SPOKES[0]}
AllowedIPs = 10.86.0.11/32, 192.168.11.0/24

[Peer]
PublicKey = {SPOKES[1]}
AllowedIPs = 10.86.0.12/32

[Peer]
PublicKey = {SPOKES[2]}
AllowedIPs = 10.86.0.13/32
"""
RELAY_TOML = f"""\
schema = 1
[heartbeat]
[relays]
members = ["{HUBS[1]}", "{HUBS[2]}"]
fixed = ["{SPOKES[2]}"]
"""

SITE_CONF = RELAY_CONF.replace("192.168.11.0/24", "10.1.0.0/16, fd01::/64")
SITE_TOML = f"""\
schema = 1
[heartbeat]
[[sites]]
name = "site-10.1.0.0-16"
members = ["{SPOKES[0]}", "{SPOKES[1]}"]
allowed_ips = ["10.1.0.0/16", "fd01::/64"]
[relays]
members = ["{HUBS[1]}", "{HUBS[2]}"]
fixed = ["{SPOKES[2]}"]
"""
SITE = "site-10.1.0.0-16"
LAN = prefixes("10.1.0.0/16", "fd01::/64")
GATEWAY_CONF = GROUP_CONF.replace("10.86.0.0/16, fd86::/64", "10.86.0.0/16, 10.1.0.0/16")
GATEWAY_TOML = GROUP_TOML.replace('"fd86::/64"', '"10.1.0.0/16"').replace(
    "schema = 1\n", 'schema = 1\n[host]\nlocal_networks = ["10.1.0.0/16"]\n'
)


def full_config() -> TunnelConfig:
    return parse(FULL_CONF, FULL_TOML, name="wf0")


_keys = st.binary(min_size=32, max_size=32).filter(any)
_ports = st.integers(1, 65535)
_networks = st.one_of(
    st.builds(lambda a, n: ipaddress.IPv4Network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(
        lambda a, n: ipaddress.IPv6Network((a, n), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
    ),
)
_labels = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
_names = (
    st.lists(_labels, min_size=1, max_size=3)
    .map(".".join)
    .filter(lambda name: is_domain_name(name) and not all(c in "0123456789." for c in name))
)
_hosts = st.one_of(_names, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
_interfaces = st.one_of(
    st.builds(lambda a, n: ipaddress.IPv4Interface((a, n)), st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(lambda a, n: ipaddress.IPv6Interface((a, n)), st.integers(0, 2**128 - 1), st.integers(0, 128)),
)
_printable = st.text(min_size=1, max_size=30).filter(str.isprintable)
_metrics = st.builds(
    MetricsOptions,
    listen=st.sampled_from([("overlay",), ("loopback",), ("overlay", "loopback")]),
    port=_ports,
    is_per_peer=st.booleans(),
    shows_endpoints=st.booleans(),
)


@st.composite
def tunnel_configs(draw: st.DrawFn) -> TunnelConfig:
    """Any valid configuration."""
    on = InterfaceConfig(
        private_key=draw(st.none() | _keys.map(PrivateKey)),
        listen_port=draw(st.just(0) | _ports),
        fwmark=draw(st.integers(0, 2**32 - 1)),
        addresses=tuple(draw(st.lists(_interfaces, max_size=3, unique=True))),
        mtu_bytes=draw(st.integers(1280, 65535)),
        table=draw(st.sampled_from(["auto", "off"]) | st.integers(1, 2**32 - 1)),
        dns_servers=tuple(draw(st.lists(st.ip_addresses().map(str), max_size=2, unique=True))),
        dns_search=tuple(draw(st.lists(_names, max_size=2, unique=True))),
    )
    free = draw(st.lists(_networks, max_size=12, unique=True))
    peers = []
    for raw in draw(st.lists(_keys, max_size=4, unique=True)):
        count = draw(st.integers(0, len(free)))
        mine, free = free[:count], free[count:]
        peers.append(
            PeerConfig(
                PublicKey(raw),
                preshared_key=draw(st.none() | _keys.map(PresharedKey)),
                endpoint=draw(st.none() | st.builds(HostPort, _hosts, _ports)),
                allowed_ips=tuple(mine),
                persistent_keepalive_s=draw(st.integers(0, 65535)),
                name=draw(st.none() | _printable),
            )
        )
    on_port = {on.listen_port} - {0}
    options = AgentOptions(
        heartbeat=draw(
            st.none()
            | st.builds(
                HeartbeatConfig,
                _ports.filter(lambda port: port not in on_port),
                st.integers(50, 10000),
                st.integers(2, 20),
            )
        ),
        is_forwarding=draw(st.booleans()),
        log_level=draw(st.sampled_from(["debug", "info", "warning", "error"])),
        host=draw(st.none() | _printable),
        role=draw(st.sampled_from([None, "hub", "spoke"])),
        metrics=draw(st.none() | _metrics),
    )
    accepted = [prefix for peer in peers for prefix in peer.allowed_ips]
    if accepted:
        local = draw(st.lists(st.sampled_from(accepted), max_size=2, unique=True))
        options = replace(options, local_networks=tuple(local))
    config = TunnelConfig("wf0", on, tuple(peers), options)
    return replace(config, options=replace(options, **draw(_redundancy(config))))


@st.composite
def _redundancy(draw: st.DrawFn, config: TunnelConfig) -> dict[str, object]:
    """Groups and relays of peers that there are; heartbeats need more of them than hypothesis finds by chance."""
    keys = [peer.public_key for peer in config.peers]
    if len(keys) < 2 or config.options.heartbeat is not None:
        return {}
    groups: list[GroupConfig] = []
    sites: list[SiteConfig] = []
    for peer in draw(st.lists(st.sampled_from(config.peers), max_size=2, unique_by=lambda peer: peer.public_key)):
        shared = [prefix for prefix in peer.allowed_ips if prefix not in first_addresses(peer)]
        if not shared:
            continue
        others = draw(
            st.lists(st.sampled_from([key for key in keys if key != peer.public_key]), min_size=1, unique=True)
        )
        members = tuple(draw(st.permutations([peer.public_key, *others])))
        mine = tuple(draw(st.lists(st.sampled_from(shared), min_size=1, unique=True)))
        if draw(st.booleans()) and not set(mine) & set(config.options.local_networks):
            sites.append(SiteConfig(f"site-{len(sites)}", members, mine))
            continue
        groups.append(
            GroupConfig(
                f"group-{len(groups)}",
                members,
                mine,
                draw(st.sampled_from(["active_standby", "priority_preempt"])),
                draw(st.integers(0, 86400)),
            )
        )
    gateways = {key for site in sites for key in site.members}
    free = [key for key in keys if key not in gateways]
    relays = None
    if free:
        relays = draw(st.none() | st.integers(1, len(free)).map(lambda count: RelaysConfig(tuple(free[:count]))))
    if relays is not None:
        fixed = draw(st.lists(st.sampled_from(free), unique=True))
        relays = replace(relays, fixed=tuple(key for key in fixed if key not in relays.members))
    return {"groups": tuple(groups), "sites": tuple(sites), "relays": relays}
