# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A hub sends a packet out where it came in, and the kernel must not tell the sender of a shorter way."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.netns import Lab, Namespace, can_make_namespaces, single_namespace, wait_until
from support.packets import ip_packet
from wirefleet_agent.drivers.forwarding_linux import Forwarding
from wirefleet_agent.drivers.routes_linux import LinuxRoutes
from wirefleet_agent.drivers.tun_linux import LinuxTun
from wirefleet_agent.wire.batch import Batch

needs_root = pytest.mark.skipif(not can_make_namespaces(), reason="needs root")
_ADDRESSES = ("10.86.0.1/24", "fd86::1/64")
_ICMP, _ICMPV6 = 1, 58
_REDIRECT, _REDIRECT_V6, _ROUTER_SOLICITATION = 5, 137, 133


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with single_namespace("quiet") as made:
        yield made


def _hub(namespace: Namespace) -> tuple[LinuxTun, LinuxRoutes]:
    tun = namespace.call(lambda: LinuxTun("wft0"))
    routes = namespace.call(lambda: LinuxRoutes("wft0"))

    def bring_up() -> None:
        for address in _ADDRESSES:
            routes.add_address(ipaddress.ip_interface(address))
        routes.set_up(True)
        routes.set_forwarding(True)

    namespace.call(bring_up)
    return tun, routes


def _into_the_tunnel(tun: LinuxTun) -> list[bytes]:
    """The packets that the kernel hands to the tunnel now."""
    batch = Batch(64, 2048)
    tun.read_batch(batch)
    return [bytes(batch.slot(i)) for i in range(batch.count)]


def _icmp_types(packets: list[bytes]) -> set[tuple[int, int]]:
    """(protocol, type) of each ICMP packet without extension headers."""
    found = set()
    for packet in packets:
        if packet[0] >> 4 == 4 and packet[9] == _ICMP:
            found.add((_ICMP, packet[20]))
        if packet[0] >> 4 == 6 and packet[6] == _ICMPV6:
            found.add((_ICMPV6, packet[40]))
    return found


@pytest.mark.netns
@needs_root
@pytest.mark.parametrize(
    ("source", "destination"), [("10.86.0.4", "10.86.0.5"), ("fd86::4", "fd86::5")], ids=["v4", "v6"]
)
def test_a_hub_that_forwards_between_spokes_sends_no_redirect(
    namespace: Namespace, source: str, destination: str
) -> None:
    tun, routes = _hub(namespace)
    packet = ip_packet(source, destination, b"x" * 32)
    seen: list[bytes] = []

    def is_forwarded() -> bool:
        tun.write_packets([packet])
        seen.extend(_into_the_tunnel(tun))
        return any(one.endswith(b"x" * 32) for one in seen)

    wait_until(is_forwarded, "the packet comes back out of the hub")
    seen.extend(_into_the_tunnel(tun))

    assert not _icmp_types(seen) & {(_ICMP, _REDIRECT), (_ICMPV6, _REDIRECT_V6), (_ICMPV6, _ROUTER_SOLICITATION)}
    namespace.call(routes.close)
    tun.close()


@pytest.mark.netns
@needs_root
def test_a_tun_has_no_link_local_address(namespace: Namespace) -> None:
    """As the interfaces of the kernel's own WireGuard: nothing but the configured addresses."""
    tun = namespace.call(lambda: LinuxTun("wft0"))

    namespace.run("ip", "link", "set", "wft0", "up")

    assert "fe80" not in namespace.run("ip", "-6", "address", "show", "dev", "wft0").stdout
    tun.close()


@pytest.mark.netns
@needs_root
def test_a_tun_that_was_moved_has_none_either(namespace: Namespace) -> None:
    with single_namespace("other") as other:
        tun = namespace.call(lambda: LinuxTun("wft0"))
        before = tun.events_fileno()
        namespace.run("ip", "link", "set", "wft0", "netns", other.name)

        def has_followed() -> bool:
            namespace.call(tun.link_events)
            return tun.events_fileno() != before

        wait_until(has_followed, "the move is noticed")
        other.run("ip", "link", "set", "wft0", "up")

        assert "fe80" not in other.run("ip", "-6", "address", "show", "dev", "wft0").stdout
        tun.close()


@pytest.mark.netns
@needs_root
def test_a_host_without_ipv6_has_nothing_to_forbid(namespace: Namespace) -> None:
    namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv6.conf.all.disable_ipv6=1")

    tun = namespace.call(lambda: LinuxTun("wft0"))

    assert "wft0" in namespace.run("ip", "link", "show", "dev", "wft0").stdout
    tun.close()


@pytest.mark.netns
@needs_root
def test_wirefleet_tun_behaves_as_the_kernels_wireguard_does() -> None:
    name = f"wft{os.getpid()}"
    with Lab() as lab:
        host = lab.namespace("drop-in")

        def redirects() -> str:
            return host.run("sysctl", "-n", "net.ipv4.conf.all.send_redirects").stdout.strip()

        before = redirects()
        process = host.start(sys.executable, "-m", "wirefleet_agent.host.tun_command", "-f", name)
        wait_until(lambda: Path(f"/var/run/wireguard/{name}.sock").exists(), "the UAPI socket")
        host.run("ip", "link", "set", name, "up")
        wait_until(lambda: redirects() == "0", "redirects are off")
        assert "fe80" not in host.run("ip", "-6", "address", "show", "dev", name).stdout
        process.stop()

        assert redirects() == before


@pytest.mark.netns
@needs_root
def test_redirects_are_as_before_when_forwarding_ends(namespace: Namespace) -> None:
    def redirects(name: str) -> str:
        return namespace.run("sysctl", "-n", f"net.ipv4.conf.{name}.send_redirects").stdout.strip()

    before = redirects("all"), redirects("lo")
    tun, routes = _hub(namespace)

    during = redirects("all"), redirects("wft0"), redirects("lo")
    namespace.call(routes.close)

    assert during == ("0", "0", before[1])
    assert (redirects("all"), redirects("lo")) == before
    tun.close()


def _sysctls(root: Path, **values: str) -> None:
    for name in ("all", "wft0"):
        (root / f"ipv4/conf/{name}").mkdir(parents=True, exist_ok=True)
        (root / f"ipv4/conf/{name}/forwarding").write_text("1\n")
        (root / f"ipv4/conf/{name}/send_redirects").write_text(f"{values[name]}\n")


def test_redirects_that_an_operator_changed_meanwhile_stay(tmp_path: Path) -> None:
    _sysctls(tmp_path, all="1", wft0="1")
    forwarding = Forwarding(tmp_path, "wft0")
    forwarding.switch(True)

    (tmp_path / "ipv4/conf/wft0/send_redirects").write_text("2\n")
    forwarding.switch(False)

    assert (tmp_path / "ipv4/conf/all/send_redirects").read_text().strip() == "1"
    assert (tmp_path / "ipv4/conf/wft0/send_redirects").read_text().strip() == "2"


def test_redirects_that_were_off_stay_off(tmp_path: Path) -> None:
    _sysctls(tmp_path, all="0", wft0="0")
    forwarding = Forwarding(tmp_path, "wft0")

    forwarding.switch(True)
    forwarding.switch(False)

    assert (tmp_path / "ipv4/conf/all/send_redirects").read_text().strip() == "0"
    assert (tmp_path / "ipv4/conf/wft0/send_redirects").read_text().strip() == "0"
