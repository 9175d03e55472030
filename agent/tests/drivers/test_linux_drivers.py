# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What only the Linux drivers promise, in a namespace of its own."""

from __future__ import annotations

import errno
import ipaddress
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.netns import Namespace, can_make_namespaces, single_namespace, wait_until
from wirefleet_agent.config.model import Route
from wirefleet_agent.drivers.dns_linux import set_dns
from wirefleet_agent.drivers.forwarding_linux import Forwarding
from wirefleet_agent.drivers.interfaces import LinkEvent
from wirefleet_agent.drivers.netlink_linux import link_messages
from wirefleet_agent.drivers.restore_file import RestoreFile
from wirefleet_agent.drivers.routes_linux import LinuxRoutes
from wirefleet_agent.drivers.tun_linux import LinuxTun
from wirefleet_agent.drivers.udp_linux import LinuxUdp
from wirefleet_agent.errors import DriverError, InternalError

needs_root = pytest.mark.skipif(not can_make_namespaces(), reason="needs root")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with single_namespace("linux") as made:
        yield made


@pytest.mark.netns
@needs_root
def test_a_tun_moved_to_another_namespace_still_reports_up_down_and_removal(namespace: Namespace) -> None:
    with single_namespace("other") as other:
        tun = namespace.call(lambda: LinuxTun("wft0"))
        seen: list[LinkEvent] = []

        def has(event: LinkEvent) -> bool:
            seen.extend(namespace.call(tun.link_events))
            return event in seen

        namespace.run("ip", "link", "set", "wft0", "netns", other.name)
        other.run("ip", "link", "set", "wft0", "up")
        wait_until(lambda: has(LinkEvent.UP), "up")
        other.run("ip", "link", "set", "wft0", "down")
        wait_until(lambda: has(LinkEvent.DOWN), "down")
        other.run("ip", "link", "delete", "wft0")
        wait_until(lambda: has(LinkEvent.REMOVED), "removed")
        tun.close()


@pytest.mark.netns
@needs_root
def test_a_name_that_is_taken_is_a_driver_error_with_the_call(namespace: Namespace) -> None:
    first = namespace.call(lambda: LinuxTun("wft0"))

    with pytest.raises(DriverError) as caught:
        namespace.call(lambda: LinuxTun("wft0"))

    assert (caught.value.call, caught.value.os_code) == ("ioctl(TUNSETIFF)", errno.EBUSY)
    first.close()


@pytest.mark.netns
@needs_root
def test_a_host_without_ipv6_still_gets_a_socket(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    # checklist 34
    import socket

    real = socket.socket

    def without_ipv6(family: int = -1, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(family, *rest)

    monkeypatch.setattr("wirefleet_agent.drivers.udp_linux.socket.socket", without_ipv6)
    udp = LinuxUdp()

    namespace.call(lambda: udp.open(0))

    assert len(udp.filenos()) == 1
    udp.close()


@pytest.mark.netns
@needs_root
def test_forwarding_goes_back_to_what_it_was(namespace: Namespace) -> None:
    def sysctl(key: str) -> str:
        return namespace.run("sysctl", "-n", key).stdout.strip()

    keys = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.lo.accept_ra"]
    before = {key: sysctl(key) for key in keys}
    forwarding = Forwarding()

    namespace.call(lambda: forwarding.switch(True))
    during = [sysctl(key) for key in keys]
    namespace.call(lambda: forwarding.switch(False))

    assert during == ["1", "1", "2"]
    assert {key: sysctl(key) for key in keys} == before


class _Vanishing(type(Path())):  # type: ignore[misc]  # the class of paths of this system
    """A directory whose listing names an interface that is gone before it is looked at."""

    def glob(self, pattern: str) -> Iterator[Path]:
        return iter([*super().glob(pattern), self / pattern.replace("*", "gone")])


def test_an_interface_that_vanishes_meanwhile_does_not_stop_forwarding(tmp_path: Path) -> None:
    for key in ("ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding", "ipv6/conf/eth0/accept_ra"):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("0\n")
    forwarding = Forwarding(_Vanishing(tmp_path))

    forwarding.switch(True)
    during = (tmp_path / "ipv4/conf/all/forwarding").read_text()
    forwarding.switch(False)

    assert during == "1"
    assert (tmp_path / "ipv4/conf/all/forwarding").read_text() == "0"


def test_forwarding_that_the_operator_switched_on_stays_on(tmp_path: Path) -> None:
    for key in ("ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding", "ipv6/conf/eth0/accept_ra"):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text("1\n")
    forwarding = Forwarding(tmp_path)

    forwarding.switch(True)
    assert (tmp_path / "ipv6/conf/eth0/accept_ra").read_text() == "2"
    forwarding.switch(False)

    assert (tmp_path / "ipv4/conf/all/forwarding").read_text().strip() == "1"
    assert (tmp_path / "ipv6/conf/eth0/accept_ra").read_text().strip() == "1"


def test_a_killed_process_does_not_make_the_next_one_forget_what_forwarding_was(tmp_path: Path) -> None:
    keys = {"ipv4/conf/all/forwarding": "0", "ipv6/conf/all/forwarding": "0", "ipv6/conf/eth0/accept_ra": "1"}
    keys |= {"ipv4/conf/all/send_redirects": "1", "ipv4/conf/wft0/send_redirects": "1"}
    for key, value in keys.items():
        (tmp_path / "net" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "net" / key).write_text(f"{value}\n")
    memory = RestoreFile(tmp_path / "wft0.forwarding.json")
    Forwarding(tmp_path / "net", "wft0", memory=memory).switch(True)
    during = {key: (tmp_path / "net" / key).read_text().strip() for key in keys}

    successor = Forwarding(tmp_path / "net", "wft0", memory=memory)
    successor.switch(True)
    successor.switch(False)

    assert set(during.values()) == {"0", "1", "2"}
    assert {key: (tmp_path / "net" / key).read_text().strip() for key in keys} == keys
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"/x/forwarding": "1"}', '{"@/net/../forwarding": "1"}', '{"@/net/forwarding": 1}']
)
def test_a_note_that_makes_no_sense_or_is_about_other_files_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "note").write_text(text.replace("@", str(tmp_path)))
    memory = RestoreFile(tmp_path / "note")

    assert not Forwarding(tmp_path / "net", memory=memory).is_on


@pytest.mark.netns
@needs_root
def test_policy_rules_leave_with_the_last_tunnel(namespace: Namespace) -> None:
    namespace.run("ip", "tuntap", "add", "wft0", "mode", "tun")
    routes = namespace.call(lambda: LinuxRoutes("wft0"))

    def rules(family: str) -> str:
        return namespace.run("ip", family, "rule", "show").stdout

    before = rules("-4"), rules("-6")
    namespace.call(lambda: routes.set_default_route_rules(51820, 51820, True))
    namespace.call(lambda: routes.set_default_route_rules(51821, 51821, True))
    both = rules("-4"), rules("-6")
    namespace.call(lambda: routes.set_default_route_rules(51820, 51820, False))
    one = rules("-6")
    namespace.call(lambda: routes.set_default_route_rules(51821, 51821, False))

    for text in both:
        assert "not from all fwmark 0xca6c lookup 51820" in text
        assert text.count("from all lookup main suppress_prefixlength 0") == 1
    assert "not from all fwmark 0xca6d lookup 51821" in one
    assert "suppress_prefixlength 0" in one
    assert (rules("-4"), rules("-6")) == before
    namespace.call(routes.close)


@pytest.mark.netns
@needs_root
def test_another_thread_cannot_change_the_routes_of_its_own_namespace(namespace: Namespace) -> None:
    routes = namespace.call(lambda: LinuxRoutes("lo"))

    with pytest.raises(InternalError):
        routes.add_address(ipaddress.ip_interface("192.0.2.1/32"))

    namespace.call(routes.close)


@pytest.mark.netns
@needs_root
def test_a_route_of_somebody_else_is_not_taken_over(namespace: Namespace) -> None:
    for name in ("wft0", "wft1"):
        namespace.run("ip", "tuntap", "add", name, "mode", "tun")
        namespace.run("ip", "link", "set", name, "up")
    namespace.run("ip", "route", "add", "10.98.0.0/16", "dev", "wft1")
    routes = namespace.call(lambda: LinuxRoutes("wft0"))

    with pytest.raises(DriverError) as caught:
        namespace.call(lambda: routes.add_route(Route(ipaddress.ip_network("10.98.0.0/16"))))

    assert caught.value.os_code == errno.EEXIST
    assert "dev wft1" in namespace.run("ip", "route", "show", "10.98.0.0/16").stdout
    namespace.call(routes.close)


def test_dns_without_resolvconf_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    set_dns("wft0", [], [])
    with pytest.raises(DriverError) as caught:
        set_dns("wft0", ["192.0.2.53"], [])

    assert "resolvconf" in (caught.value.hint or "")


def test_dns_is_handed_to_resolvconf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "resolvconf"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n[ "$1" = -d ] || cat >>{tmp_path}/calls\n')
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    set_dns("wft0", ["192.0.2.53"], ["example.net"])
    set_dns("wft0", [], [])

    assert (tmp_path / "calls").read_text() == (
        "-a wft0 -m 0 -x\nnameserver 192.0.2.53\nsearch example.net\n-d wft0 -f\n"
    )


@pytest.mark.parametrize("cut", range(60))
def test_a_netlink_message_cut_short_is_no_error(cut: int) -> None:
    header = (64).to_bytes(4, "little") + (16).to_bytes(2, "little") + bytes(10)
    link = bytes(4) + (7).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(4)
    attributes = (8).to_bytes(2, "little") + (4).to_bytes(2, "little") + (1300).to_bytes(4, "little")
    datagram = (header + link + attributes).ljust(64, b"\0")

    list(link_messages(datagram[:cut]))

    assert [message.mtu_bytes for message in link_messages(datagram)] == [1300]
