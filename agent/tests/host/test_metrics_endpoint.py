# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The service serves metrics where its configuration says, and follows every change of it."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.configs import private_key, public_key
from support.memory_host import MemoryHost
from support.netns import wait_until
from wirefleet_agent.config import AgentOptions, MetricsOptions, TunnelConfig
from wirefleet_agent.config.model import InterfaceConfig, PeerConfig
from wirefleet_agent.core import Device, Peer
from wirefleet_agent.drivers.tcp_listeners import ListenAt
from wirefleet_agent.engine import Loop, Supervisor
from wirefleet_agent.host import metrics_endpoint as module
from wirefleet_agent.host.metrics_endpoint import EVENTS, MetricsEndpoint
from wirefleet_agent.host.requests import ConfigRequest
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.observe import Counters

CONF = f"""[Interface]
PrivateKey = {private_key("host").reveal_base64()}
Address = 10.86.0.1/24
[Peer]
PublicKey = {public_key("spoke")}
AllowedIPs = 10.86.0.2/32
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[MemoryHost]:
    made = MemoryHost(tmp_path / "root")
    yield made
    if made.container is not None:
        made.container.get(TunnelService).stop()
        made.crash()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def toml(port: int, *, listen: str = '"loopback"', more: str = "") -> str:
    return f'schema = 1\n[host]\nname = "hub-1"\nrole = "hub"\n[metrics]\nlisten = {listen}\nport = {port}\n{more}'


def apply(host: MemoryHost, service: TunnelService, toml_text: str) -> None:
    service._apply(ConfigRequest(CONF, toml_text, {}, 0))
    host.pass_s(1.1)


def scrape(host: MemoryHost, port: int) -> str:
    """By a client of the same thread."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        client.setblocking(False)
        received = b""
        for _ in range(2000):
            host.loop.run_once(0.001)
            try:
                chunk = client.recv(1 << 20)
            except BlockingIOError:
                continue
            if not chunk:
                break
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK"), head
    return body.decode()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nothing_listens_and_nothing_is_loaded_without_the_section(host: MemoryHost, port: int) -> None:
    service = host.start()
    apply(host, service, "schema = 1")

    assert host.container is not None
    assert host.container.get(MetricsEndpoint).places == frozenset()
    assert not is_listening(port)


def test_a_scrape_tells_of_the_agent_and_its_tunnel(host: MemoryHost, port: int) -> None:
    service = host.start()
    apply(host, service, toml(port, more=f'[peers]\n"{public_key("spoke")}" = "spoke-1"\n'))

    text = scrape(host, port)

    families = {family.name for family in text_string_to_metric_families(text)}
    assert {"wirefleet_build_info", "wirefleet_tunnel_up", "wirefleet_peer_received_bytes"} <= families
    assert 'wirefleet_events_total{event="config_applied"} 1.0' in text
    assert 'wirefleet_events_total{event="config_reverted"} 0.0' in text
    assert 'host="hub-1"' in text
    assert 'name="spoke-1"' in text
    assert private_key("host").reveal_base64() not in text


def test_metrics_follow_the_configuration(host: MemoryHost, port: int) -> None:
    service = host.start()
    apply(host, service, toml(port))
    assert is_listening(port)

    apply(host, service, toml(port, more="per_peer = false\n"))
    assert "peer=" not in scrape(host, port)
    apply(host, service, "schema = 1")
    assert not is_listening(port)
    apply(host, service, toml(port))
    assert is_listening(port)
    service.stop()
    assert not is_listening(port)


def test_a_change_that_reverts_takes_its_metrics_along(host: MemoryHost, port: int) -> None:
    service = host.start()
    apply(host, service, "schema = 1")
    service._apply(ConfigRequest(CONF, toml(port), {}, 5))
    host.pass_s(1.1)
    during = is_listening(port)

    host.pass_s(5)
    host.pass_s(1.1)

    assert (during, is_listening(port)) == (True, False)


def test_a_tunnel_without_its_interface_is_silent_about_it_and_comes_back(host: MemoryHost, port: int) -> None:
    service = host.start()
    apply(host, service, toml(port))
    host.drivers.made[-1].set_link(is_removed=True)
    host.pass_s(0.1)
    gone = host.live.tunnel is None

    for _ in range(5):
        host.pass_s(1.1)

    assert gone
    assert 'wirefleet_events_total{event="interface_removed"} 1.0' in scrape(host, port)
    assert 'wirefleet_tunnel_up{tunnel="wf0"}' in scrape(host, port)


def test_every_event_that_the_host_counts_has_a_series_from_the_beginning() -> None:
    sources = Path(module.__file__).parent.rglob("*.py")
    counted = {name for path in sources for name in re.findall(r'_counters\.add\("(\w+)"\)', path.read_text("utf-8"))}

    assert counted == set(EVENTS)


class FakeTunnel:
    def __init__(self, device: Device) -> None:
        self.device = device
        self.name = "lo"  # an interface that every Linux has


class FakeLive:
    """A live tunnel with one peer that owns 10.86.0.2 and a site."""

    def __init__(self, *addresses: str) -> None:
        device = Device(entropy=bytes, tai64n_now=lambda: bytes(12))
        peer = device.add_peer(public_key("spoke"), 0.0)
        for prefix in ("10.86.0.2/32", "192.168.7.0/24", "fd86::2/128"):
            device.allowed_ips.insert(ipaddress.ip_network(prefix), peer)
        self.tunnel = FakeTunnel(device)
        self.config = TunnelConfig(
            "lo",
            InterfaceConfig(addresses=tuple(map(ipaddress.ip_interface, addresses))),
            (PeerConfig(public_key("spoke")),),
            AgentOptions(metrics=MetricsOptions(("overlay", "loopback"), 19586)),
        )


def endpoint_of(live: FakeLive, loop: Loop) -> MetricsEndpoint:
    return MetricsEndpoint(live, loop, Counters(), Supervisor(loop), lambda: 0.0)  # type: ignore[arg-type]


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop(lambda: 0.0)
    yield made
    made.close()


def test_it_wants_overlay_and_loopback_addresses_and_no_others(loop: Loop) -> None:
    live = FakeLive("10.86.0.1/24", "fd86::1/64", "fe80::1/64", "0.0.0.0/0", "::/0", "224.0.0.1/32", "10.86.0.1/32")
    options = live.config.options.metrics
    assert options is not None

    wanted = list(endpoint_of(live, loop)._wanted(options))

    assert {at.address for at in wanted} == {"127.0.0.1", "::1", "10.86.0.1", "fd86::1"}
    assert {at.port for at in wanted} == {19586}


@pytest.mark.parametrize(
    ("address", "source", "caller"),
    [
        ("127.0.0.1", "127.0.0.1", module._THE_HOST),
        ("127.0.0.1", "127.8.8.8", module._THE_HOST),
        ("::1", "::1", module._THE_HOST),
        ("127.0.0.1", "10.86.0.2", None),
        ("10.86.0.1", "10.86.0.1", module._THE_HOST),
        ("10.86.0.1", "fd86::1", module._THE_HOST),
        ("10.86.0.1", "10.86.0.2", public_key("spoke")),
        ("10.86.0.1", "192.168.7.250", public_key("spoke")),
        ("fd86::1", "fd86::2", public_key("spoke")),
        ("10.86.0.1", "10.86.0.3", None),
        ("10.86.0.1", "192.0.2.5", None),
        ("10.86.0.1", "127.0.0.1", None),
        ("fd86::1", "fe80::5", None),
    ],
)
def test_who_may_call_and_as_whom(loop: Loop, address: str, source: str, caller: object) -> None:
    endpoint = endpoint_of(FakeLive("10.86.0.1/24", "fd86::1/64"), loop)

    found = endpoint._admit(ListenAt(address, 19586), source)

    assert (found.public_key if isinstance(found, Peer) else found) == caller


def test_on_a_spoke_each_address_behind_the_hubs_is_a_caller_and_on_a_hub_each_spoke(loop: Loop) -> None:
    live = FakeLive("10.86.0.1/24")
    device = live.tunnel.device
    device.set_private_key(private_key("host"), 0.0)
    hubs = [public_key("hub-1"), public_key("hub-2")]
    for key in hubs:
        device.add_peer(key, 0.0)
    overlay, site = ipaddress.ip_network("10.86.0.0/16"), ipaddress.ip_network("172.16.9.0/24")
    device.set_group("hubs", hubs, [overlay], active=hubs[0], now=0.0)
    spoke = public_key("spoke")
    own = device.set_group("spoke", [spoke, hubs[1]], [site], active=spoke, direct=spoke, now=0.0)
    endpoint, at = endpoint_of(live, loop), ListenAt("10.86.0.1", 19586)

    callers = [endpoint._admit(at, f"10.86.3.{number}") for number in (1, 1, 2)]
    spokes = [endpoint._admit(at, f"172.16.9.{number}") for number in (1, 2)]

    assert callers[0] == callers[1] != callers[2]
    assert None not in callers
    assert spokes == [own, own]


def test_a_real_http_client_is_content(host: MemoryHost, port: int) -> None:
    with host.running() as service:
        host.loop.call_soon_threadsafe(lambda: service._apply(ConfigRequest(CONF, toml(port), {}, 0)))

        def serves() -> bool:
            host.time.pass_s(1.1)
            host.loop.call_soon_threadsafe(lambda: None)
            return is_listening(port)

        wait_until(serves, "the port is open")
        for _ in range(3):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
            answer = client.getresponse()
            body = answer.read()
            client.close()
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert body.endswith(b"\n")
