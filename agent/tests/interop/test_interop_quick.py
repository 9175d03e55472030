# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The distribution's own wg-quick with wirefleet-tun as its userspace implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.netns import Lab, Namespace, wait_until
from support.topologies import state_of
from support.wireguard import OURS, THEIRS, TunnelEnd, interface_name, program

pytestmark = pytest.mark.netns

BEYOND = ("203.0.113.5", "2001:db8:5::5")
ENV = {"WG_QUICK_USERSPACE_IMPLEMENTATION": program(OURS)}


class Quick:
    """A client that wg-quick configures, and a wireguard-go server with addresses behind it."""

    def __init__(self, lab: Lab) -> None:
        self.namespace, server = lab.namespace("client"), lab.namespace("server")
        lab.link(self.namespace, server, "192.0.2.1/24 2001:db8:1::1/64", "192.0.2.2/24 2001:db8:1::2/64")
        self.end = TunnelEnd(lab, self.namespace, OURS, "192.0.2.1", "10.9.0.1/24 fd09::1/64", interface_name("q"))
        self.server = TunnelEnd(lab, server, THEIRS, "192.0.2.2", "10.9.0.2/24 fd09::2/64")
        self.file = lab.directory / f"{self.end.name}.conf"
        self.server.start()
        self.server.up()
        self.server.add_peer(self.end, allowed_ips="10.9.0.1/32,10.19.0.1/32,fd09::1/128", knows_endpoint=False)
        for address, bits in zip(BEYOND, (32, 128), strict=True):
            server.run("ip", "address", "add", f"{address}/{bits}", "dev", "lo")
        server.run("ip", "route", "add", "10.19.0.1", "dev", self.server.name)

    def write(self, interface: str, allowed_ips: str) -> Path:
        self.file.write_text(
            f"[Interface]\nPrivateKey = {self.end.private_key}\n{interface}\n"
            f"[Peer]\nPublicKey = {self.server.public_key}\nAllowedIPs = {allowed_ips}\n"
            f"Endpoint = {self.server.endpoint}\n"
        )
        self.file.chmod(0o600)
        return self.file

    def up(self) -> str:
        return self.namespace.run("wg-quick", "up", str(self.file), env=ENV).stderr

    def down(self) -> None:
        self.namespace.run("wg-quick", "down", str(self.file), env=ENV)
        self.end.wait_gone()
        wait_until(lambda: not self.namespace.processes(), "the process has ended")


@pytest.fixture
def quick(lab: Lab) -> Quick:
    return Quick(lab)


def interface_line(namespace: Namespace, name: str) -> str:
    return namespace.run("ip", "-o", "link", "show", name).stdout


def test_everything_goes_through_the_tunnel_but_the_tunnel_itself(quick: Quick) -> None:  # checklist 36
    before = state_of(quick.namespace)
    quick.write("Address = 10.9.0.1/24, fd09::1/64", "0.0.0.0/0, ::/0")

    quick.up()

    for address in BEYOND:
        assert quick.end.name in quick.namespace.run("ip", "route", "get", address).stdout
        quick.end.ping(address)
    assert quick.end.wg("show", quick.end.name, "fwmark").strip() == "0xca6c"
    assert f"wg-quick-{quick.end.name}" in state_of(quick.namespace)["firewall"]
    assert min(quick.end.transfer(quick.server)) > 6 * 128
    quick.down()
    assert state_of(quick.namespace) == before


def test_mtu_several_addresses_and_a_port_come_from_the_file(quick: Quick) -> None:  # checklist 32
    before = state_of(quick.namespace)
    quick.write(
        "Address = 10.9.0.1/24, fd09::1/64\nAddress = 10.19.0.1/32\nMTU = 1280\nListenPort = 45678",
        f"10.9.0.0/24, fd09::/64, {BEYOND[0]}/32",
    )

    quick.up()

    assert "mtu 1280 " in interface_line(quick.namespace, quick.end.name)
    addresses = quick.namespace.run("ip", "-o", "address", "show", quick.end.name).stdout
    for cidr in ("10.9.0.1/24", "10.19.0.1/32", "fd09::1/64"):
        assert f" {cidr} " in addresses
    for address in ("10.9.0.2", "fd09::2", BEYOND[0]):
        quick.end.ping(address)
    quick.namespace.run("ping", "-c1", "-W5", "-I", "10.19.0.1", "10.9.0.2")
    assert quick.server.show("endpoints") == {quick.end.public_key: "192.0.2.1:45678"}
    quick.end.ping("10.9.0.2", count=1, size=3000)
    quick.down()
    assert state_of(quick.namespace) == before


def test_without_an_mtu_wg_quick_sets_that_of_the_underlay_less_80(quick: Quick) -> None:
    quick.write("Address = 10.9.0.1/24", "10.9.0.0/24")

    quick.up()

    assert "mtu 1420 " in interface_line(quick.namespace, quick.end.name)


def test_with_table_off_no_route_is_made(quick: Quick) -> None:
    before = state_of(quick.namespace)
    quick.write("Address = 10.9.0.1/32\nTable = off", "0.0.0.0/0, ::/0")

    quick.up()

    now = state_of(quick.namespace)
    for kept in ("rules v4", "rules v6", "firewall"):
        assert now[kept] == before[kept]
    assert "default" not in now["routes v4"]
    assert quick.end.wg("show", quick.end.name, "fwmark").strip() == "off"
    quick.namespace.run("ip", "route", "add", BEYOND[0], "dev", quick.end.name)
    quick.end.ping(BEYOND[0])
    quick.down()
    assert state_of(quick.namespace) == before


def test_hooks_preshared_key_keepalive_and_save_work(quick: Quick) -> None:
    path = quick.write(
        "Address = 10.9.0.1/24\nSaveConfig = true\nPostUp = ip route add 198.51.100.0/24 dev %i\nListenPort = 45679",
        "10.9.0.0/24",
    )
    quick.up()
    quick.end.ping("10.9.0.2")
    quick.end.wg("set", quick.end.name, "peer", quick.server.public_key, "persistent-keepalive", "21")

    assert quick.end.name in quick.namespace.run("ip", "route", "get", "198.51.100.9").stdout
    quick.down()

    saved = path.read_text()
    assert "PersistentKeepalive = 21" in saved
    assert f"PrivateKey = {quick.end.private_key}" in saved
    quick.up()
    quick.end.ping("10.9.0.2")


def test_a_file_that_wg_refuses_leaves_nothing_behind(quick: Quick) -> None:
    before = state_of(quick.namespace)
    quick.write("Address = 10.9.0.1/24", "10.9.0.0/240")

    refused = quick.namespace.run("wg-quick", "up", str(quick.file), env=ENV, check=False)

    assert refused.returncode != 0
    quick.end.wait_gone()
    wait_until(lambda: not quick.namespace.processes(), "the process has ended")
    assert state_of(quick.namespace) == before


def test_up_and_down_three_times_is_as_once(quick: Quick) -> None:
    before = state_of(quick.namespace)
    quick.write("Address = 10.9.0.1/24, fd09::1/64", "0.0.0.0/0, ::/0")

    for _ in range(3):
        quick.up()
        quick.end.ping(BEYOND[0], count=1)
        quick.down()

        assert state_of(quick.namespace) == before
