# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Scrapes of running daemons through the tunnel and from the host itself; and nobody else gets anything."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.agent_host import AgentHost, tunnel_name
from support.netns import Lab, Namespace, can_make_namespaces, wait_until

pytestmark = pytest.mark.netns

PORT = 19586
TOML = """schema = 1
[host]
name = "{name}"
role = "hub"
[metrics]
listen = {listen}
"""


@pytest.fixture
def hosts() -> Iterator[tuple[AgentHost, AgentHost]]:
    if not can_make_namespaces():
        if os.environ.get("CI") == "true":
            pytest.fail("needs root, /dev/net/tun and ip")
        pytest.skip("needs root, /dev/net/tun and ip")
    with Lab() as lab:
        left, right = lab.namespace("left"), lab.namespace("right")
        lab.link(left, right, "192.0.2.1/24", "192.0.2.2/24")
        made = (
            AgentHost(left, lab.directory / "left", tunnel_name("a"), "192.0.2.1", "10.9.0.1"),
            AgentHost(right, lab.directory / "right", tunnel_name("b"), "192.0.2.2", "10.9.0.2"),
        )
        try:
            yield made
        finally:
            for host in made:
                print(host.log[-6000:])
                host.close()


def join(a: AgentHost, b: AgentHost, *, listen: str = '["overlay", "loopback"]', extra: str = "") -> None:
    """Both up, a with metrics."""
    a.apply(a.conf(b.as_peer(), extra=extra), toml=TOML.format(name=a.tunnel, listen=listen))
    b.apply(b.conf(a.as_peer(allowed_ips="10.9.0.1/32, 10.9.0.77/32, fd09::1/128"), extra="Address = fd09::2/64"))
    for host in (a, b):
        host.call("daemon", "start", "--wait")
    for host in (a, b):
        host.call("health", "--wait", "--timeout", "20")


def exchange(namespace: Namespace, address: str, request: bytes, timeout_s: float = 5.0) -> bytes | None:
    """All that the server at ``address`` says to a caller in the namespace; None: there is none to talk to."""

    def talk() -> bytes | None:
        try:
            with socket.create_connection((address, PORT), timeout=timeout_s) as connection:
                connection.sendall(request)
                received = b""
                while chunk := connection.recv(1 << 16):
                    received += chunk
                return received
        except OSError:
            return None

    return namespace.call(talk)


def scrape(namespace: Namespace, address: str, timeout_s: float = 5.0) -> str | None:
    request = f"GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
    answer = exchange(namespace, address, request, timeout_s)
    if not answer:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
    return body.decode()


def value(text: str, name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels.items() >= labels.items()
    ]
    return found


def listening(host: AgentHost) -> set[str]:
    """The local addresses of all listening TCP sockets of the namespace, as ss(8) shows them."""
    lines = host.namespace.run("ss", "-Hltn").stdout.splitlines()
    return {line.split()[3] for line in lines}


def test_a_daemon_is_scraped_through_the_tunnel_and_from_the_host_and_listens_nowhere_else(hosts):
    a, b = hosts
    join(a, b)
    wait_until(lambda: scrape(b.namespace, "10.9.0.1") and scrape(a.namespace, "127.0.0.1"), "metrics are served")
    before = value(scrape(b.namespace, "10.9.0.1"), "wirefleet_peer_received_bytes_total", peer=b.public_key)
    assert b.ping("10.9.0.1", count=3)

    wait_until(
        lambda: (
            value(scrape(b.namespace, "10.9.0.1"), "wirefleet_peer_received_bytes_total", peer=b.public_key)
            > before + 3 * 84
        ),
        "the bytes of the ping are counted",
    )
    text = scrape(a.namespace, "10.9.0.1")

    assert value(text, "wirefleet_tunnel_up", tunnel=a.tunnel) == 1
    assert value(text, "wirefleet_peer_session_age_seconds", peer=b.public_key) < 60
    assert value(text, "wirefleet_tunnel_info", tunnel=a.tunnel, host=a.tunnel, role="hub") == 1
    assert "192.0.2." not in text
    assert listening(a) == {
        f"10.9.0.1%{a.tunnel}:{PORT}",
        f"10.9.0.1%lo:{PORT}",
        f"127.0.0.1:{PORT}",
        f"[::1]:{PORT}",
    }
    assert scrape(a.namespace, "192.0.2.1") is None
    assert scrape(b.namespace, "192.0.2.1") is None
    assert listening(b) == set()


def test_a_neighbour_in_the_underlay_that_knows_the_overlay_address_gets_nothing(hosts):
    """Linux would let him in: it takes packets for its addresses from every interface."""
    a, b = hosts
    join(a, b)
    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served")
    b.call("daemon", "stop")
    b.namespace.run("ip", "route", "add", "10.9.0.1/32", "via", "192.0.2.1")
    reached = b.ping("10.9.0.1")

    answer = scrape(b.namespace, "10.9.0.1", timeout_s=2)

    assert reached  # so the way is there
    assert answer is None


def test_metrics_follow_configuration_addresses_and_the_interface(hosts):
    a, b = hosts
    join(a, b, listen='"overlay"', extra="Address = fd09::1/64\n")
    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served over IPv4")
    assert scrape(a.namespace, "127.0.0.1") is None

    # Another address.
    a.apply(a.conf(b.as_peer()).replace("10.9.0.1/24", "10.9.0.77/24"), toml=TOML.format(name="x", listen='"overlay"'))
    wait_until(lambda: scrape(b.namespace, "10.9.0.77"), "the new address serves")
    assert not any("10.9.0.1%" in place for place in listening(a))

    # The interface is deleted, and made anew by the daemon.
    a.namespace.run("ip", "link", "delete", a.tunnel)
    wait_until(lambda: scrape(b.namespace, "10.9.0.77"), "the new interface serves", timeout_s=40)

    # Off.
    a.apply(a.conf(b.as_peer()).replace("10.9.0.1/24", "10.9.0.77/24"))
    wait_until(lambda: listening(a) == set(), "nothing listens")
    assert a.ping("10.9.0.2")


def test_an_ipv6_overlay_address_serves_too(hosts):
    a, b = hosts
    join(a, b, listen='"overlay"', extra="Address = fd09::1/64\n")
    b_in_a = b.as_peer(allowed_ips="10.9.0.2/32, fd09::2/128")
    a.apply(a.conf(b_in_a, extra="Address = fd09::1/64\n"), toml=TOML.format(name="x", listen='"overlay"'))

    wait_until(lambda: scrape(b.namespace, "fd09::1"), "metrics are served over IPv6")


def test_a_flood_of_slow_callers_from_the_tunnel_stops_neither_traffic_nor_other_scrapes(hosts):
    a, b = hosts
    join(a, b)
    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served")

    def flood() -> list[socket.socket]:
        held = []
        for _ in range(100):
            connection = socket.create_connection(("10.9.0.1", PORT), timeout=5)
            connection.sendall(b"GET /metrics HTTP/1.1\r\nX-slow: ")
            held.append(connection)
        return held

    held = b.namespace.call(flood)
    try:
        wait_until(
            lambda: (
                value(scrape(a.namespace, "127.0.0.1"), "wirefleet_scrape_connections_total", outcome="displaced") >= 90
            ),
            "most of the flood is displaced",
        )
        assert b.ping("10.9.0.1", count=5)
        assert scrape(b.namespace, "10.9.0.1")
        assert len(os.listdir(f"/proc/{a.daemon_pid()}/fd")) < 64
    finally:
        for connection in held:
            connection.close()


def test_what_is_no_scrape_is_refused_by_a_running_daemon(hosts):
    a, b = hosts
    join(a, b)
    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served")

    assert exchange(b.namespace, "10.9.0.1", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert exchange(b.namespace, "10.9.0.1", b"POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 405 ")
    assert exchange(b.namespace, "10.9.0.1", b"\x16\x03\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert exchange(b.namespace, "10.9.0.1", os.urandom(20_000).replace(b"\r\n", b"")).startswith(b"HTTP/1.1 400 ")


def test_a_daemon_that_was_killed_serves_again_on_the_same_port(hosts):
    a, b = hosts
    join(a, b)
    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served")
    os.kill(a.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: not a.call("status")["running"], "the daemon is dead")

    a.call("daemon", "start", "--wait")

    wait_until(lambda: scrape(b.namespace, "10.9.0.1"), "metrics are served again", timeout_s=30)
