# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Underlays of the interop tests: a link with both families, a router that masquerades, a link that harms."""

from __future__ import annotations

import sys
from pathlib import Path

from support.netns import Lab, Namespace, Process, wait_until
from support.wireguard import TunnelEnd

OVERLAYS = ("10.9.0.1/24 fd09::1/64", "10.9.0.2/24 fd09::2/64")
V4 = ("192.0.2.1", "192.0.2.2")
V6 = ("2001:db8:1::1", "2001:db8:1::2")
PRIVATE = "10.1.1.2"
PUBLIC = "198.51.100.2"
ROUTER_PUBLIC = "198.51.100.254"

_BAD_LINK = Path(__file__).with_name("bad_link.py")


def dual_stack_pair(lab: Lab, left: str, right: str) -> tuple[TunnelEnd, TunnelEnd, tuple[str, str]]:
    """Two ends on one link that has IPv4 and IPv6; they know nothing of each other. Also the links' names."""
    namespaces = lab.namespace("left"), lab.namespace("right")
    names = lab.link(*namespaces, *(f"{v4}/24 {v6}/64" for v4, v6 in zip(V4, V6, strict=True)))
    one, two = (
        TunnelEnd(lab, namespace, implementation, underlay, overlay)
        for namespace, implementation, underlay, overlay in zip(namespaces, (left, right), V4, OVERLAYS, strict=True)
    )
    return one, two, names


class Nat:
    """A private end behind a masquerading router, and a public end that cannot reach it first."""

    def __init__(self, lab: Lab, inside: str, outside: str) -> None:
        private, self.router, public = lab.namespace("private"), lab.namespace("router"), lab.namespace("public")
        lab.link(private, self.router, f"{PRIVATE}/24", "10.1.1.254/24")
        self.router_link, _ = lab.link(self.router, public, f"{ROUTER_PUBLIC}/24", f"{PUBLIC}/24")
        private.run("ip", "route", "add", "default", "via", "10.1.1.254")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.masquerade("40000-40099")
        self.inside = TunnelEnd(lab, private, inside, PRIVATE, OVERLAYS[0])
        self.outside = TunnelEnd(lab, public, outside, PUBLIC, OVERLAYS[1])

    def masquerade(self, ports: str) -> None:
        """Source ports of new connections; those that are known keep theirs."""
        self.router.run(
            "nft",
            "-f",
            "/dev/stdin",
            text=f"""
            add table ip nat
            flush table ip nat
            add chain ip nat out {{ type nat hook postrouting priority 100; }}
            add rule ip nat out oifname "{self.router_link}" meta l4proto udp masquerade to :{ports}
            """,
        )

    def forget_after(self, seconds: int) -> None:
        """How long the router remembers a UDP flow that is silent."""
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            self.router.run("sysctl", "-qw", f"net.netfilter.{name}={seconds}")

    def readdress(self, address: str) -> None:
        """The provider gives the router another address: the kernel forgets the flows of the old one."""
        self.router.run("ip", "address", "add", f"{address}/24", "dev", self.router_link)
        self.router.run("ip", "address", "delete", f"{ROUTER_PUBLIC}/24", "dev", self.router_link)
        # With the primary address the kernel may have taken this one too.
        self.router.run("ip", "address", "replace", f"{address}/24", "dev", self.router_link)

    def start(self, *extra: str) -> None:
        """Both ends up; only the private one knows where the other is. extra: of the private end's peer."""
        self.outside.start()
        self.outside.up()
        self.outside.add_peer(self.inside, knows_endpoint=False)
        # Last, as a keepalive makes it speak at once; before the other one listens that would cost 5 s.
        self.inside.start()
        self.inside.up()
        self.inside.add_peer(self.outside, *extra)


def bad_link_pair(
    lab: Lab, left: str, right: str, *, lost: float, doubled: float, late: float, late_ms: int
) -> tuple[TunnelEnd, TunnelEnd, Process]:
    """Two joined ends whose datagrams pass a relay that loses, doubles and delays that share of them at random.

    A relay, not netem: it needs nothing of the kernel, and each end sees the relay as its peer's endpoint.
    """
    one, relay, two = lab.namespace("left"), lab.namespace("relay"), lab.namespace("right")
    lab.link(one, relay, "192.0.2.1/24", "192.0.2.254/24")
    lab.link(relay, two, "198.51.100.254/24", "198.51.100.2/24")
    ends = (
        TunnelEnd(lab, one, left, "192.0.2.1", OVERLAYS[0]),
        TunnelEnd(lab, two, right, "198.51.100.2", OVERLAYS[1]),
    )
    sides = [f"192.0.2.254:{ends[0].port}:192.0.2.1", f"198.51.100.254:{ends[0].port}:198.51.100.2"]
    process = relay.start(
        sys.executable, "-S", str(_BAD_LINK), *sides, str(lost), str(doubled), str(late), str(late_ms)
    )
    wait_until(lambda: "seed" in process.output, "the relay runs")
    for end in ends:
        end.start()
    for end, other, via in ((ends[0], ends[1], "192.0.2.254"), (ends[1], ends[0], "198.51.100.254")):
        end.add_peer(other, "endpoint", f"{via}:{end.port}", knows_endpoint=False)
        end.up()
    return ends[0], ends[1], process


def state_of(namespace: Namespace) -> dict[str, str]:
    """What a program could leave behind in the network of a namespace."""
    commands = {
        "links": "ip -o link",
        "addresses": "ip -o address",
        "rules v4": "ip -4 rule",
        "rules v6": "ip -6 rule",
        "routes v4": "ip -4 route show table all",
        "routes v6": "ip -6 route show table all",
        "firewall": "nft list ruleset",
    }
    return {
        # The kernel finishes link-local addresses in its own time.
        name: "".join(line for line in namespace.run(*command.split()).stdout.splitlines(True) if "fe80" not in line)
        for name, command in commands.items()
    }
