# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Offloads of Linux on real interfaces: its kernel cuts as the reference does, and falls back where it cannot."""

from __future__ import annotations

import errno
import fcntl
import json
import random
import select
from collections.abc import Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from support.inner_packets import Headers
from support.netns import Lab, Namespace, can_make_namespaces, single_namespace, wait_until
from support.super_packets import NEEDS_CSUM, PSH, TCP, UDP, Offload, cut, finished
from support.tun_hosts import OURS, THEIRS, udp_packet
from support.tunnels import LEFT6, RIGHT6
from wirefleet_agent.dataplane import Packet, packet_batch
from wirefleet_agent.dataplane.coalescing import find_runs, join
from wirefleet_agent.dataplane.rows import Rows, RowViews
from wirefleet_agent.drivers import tun_linux, udp_linux
from wirefleet_agent.drivers.routes_linux import LinuxRoutes
from wirefleet_agent.drivers.tun_linux import LinuxTun
from wirefleet_agent.drivers.udp_linux import LinuxUdp
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint

pytestmark = [
    pytest.mark.netns,
    pytest.mark.linux_only,
    pytest.mark.skipif(not can_make_namespaces(), reason="needs root"),
]
V4 = Headers()
V6 = Headers(version=6, source=LEFT6, destination=RIGHT6)
FAMILIES = [pytest.param(head, id=f"v{head.version}") for head in (V4, V6)]


class Router:
    """A namespace that forwards between two TUNs, for the addresses of a tunnel pair."""

    def __init__(self, namespace: Namespace, *, offloads_out: bool) -> None:
        namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.inside = namespace.call(lambda: LinuxTun("wfin", mtu_bytes=1500))
        self.outside = namespace.call(lambda: LinuxTun("wfout", mtu_bytes=1500, use_offloads=offloads_out))
        for tun, v4, v6 in ((self.inside, "10.86.0.1", LEFT6), (self.outside, "10.86.0.2", RIGHT6)):
            namespace.run("ip", "link", "set", tun.name, "up")
            for route in (f"{v4}/32", f"{v6}/128"):
                namespace.run("ip", "route", "add", route, "dev", tun.name)

    def carry(self, written: list[Packet]) -> list[tuple[Offload, bytes]]:
        """What leaves, with the header of each."""
        assert self.inside.write_packets(written) == len(written)
        batch = packet_batch(64, 1420, has_offloads=True)
        got = []
        while select.select([self.outside.fileno()], [], [], 0.3 if not got else 0.05)[0]:
            for i in range(self.outside.read_batch(batch)):
                start = i * batch.stride + batch.headroom
                header = bytes(batch.buffer[start - 10 : start]) if self.outside.has_offloads else bytes(10)
                packet = bytes(batch.slot(i))
                if packet[9 if packet[0] >> 4 == 4 else 6] in (TCP, UDP):  # the kernel has things of its own to say
                    got.append((Offload.unpack(header), packet))
        return got

    def close(self) -> None:
        self.inside.close()
        self.outside.close()


@pytest.fixture(scope="module", params=[True, False], ids=["super", "whole"])
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """Its way out takes super-packets, or whole packets only: then its kernel cuts."""
    with single_namespace("router") as namespace:
        made = Router(namespace, offloads_out=request.param)
        yield made
        made.close()


def forwarded(packet: bytes) -> bytes:
    """As a router passes it on."""
    data = bytearray(packet)
    data[8 if packet[0] >> 4 == 4 else 7] -= 1
    network = 20 if packet[0] >> 4 == 4 else 40
    return finished(bytes(data), network, data[9] if network == 20 else data[6])


def flow(head: Headers, count: int, size: int, last: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [
        replace(
            head,
            identification=head.identification + k & 0xFFFF,
            sequence=head.sequence + k * size & 0xFFFFFFFF,
            flags=head.flags | (PSH if k == count - 1 else 0),
        ).packet(chance.randbytes(size if k < count - 1 else last))
        for k in range(count)
    ]


def joined(packets: list[bytes]) -> list[Packet]:
    """As the data plane writes them."""
    size, last = len(packets[0]), len(packets[-1])
    buffer = bytearray(b"".join(packets))
    rows = Rows(0, size, len(packets), size, last)
    (run,) = find_runs(buffer, rows)
    assert run.end == len(packets)
    return [join(memoryview(buffer), rows, run, RowViews())]


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
@pytest.mark.parametrize(
    ("count", "size", "last"),
    [(2, 1, 1), (3, 100, 1), (5, 101, 100), (47, 1368, 1), (45, 1372, 1371), (64, 536, 9), (64, 13, 13), (20, 1360, 7)],
)
def test_a_joined_super_packet_is_forwarded_as_the_packets_that_it_was(
    router: Router, head: Headers, protocol: int, count: int, size: int, last: int
) -> None:
    options = b"\1\1\x08\x0a" + bytes(range(8)) if protocol == TCP and size < 1369 else b""
    head = replace(
        head, protocol=protocol, options=options, identification=0xFFF0, sequence=0xFFFFFF00, traffic_class=2, ttl=9
    )
    packets = flow(head, count, size, last, count * size)

    got = router.carry(joined(packets))

    assert [piece for offload, packet in got for piece in cut(packet, offload)] == [forwarded(p) for p in packets]
    if router.outside.has_offloads:
        assert len(got) == 1, "it was cut on the way"
    else:
        assert len(got) == count


def test_packets_with_a_wrong_checksum_stay_recognizable(router: Router) -> None:
    packets = flow(V4, 4, 100, 100, 1)
    packets[1] = packets[1][:36] + b"\xbe\xef" + packets[1][38:]

    got = router.carry([*packets])

    assert [packet[36:38] for offload, packet in got if not offload.gso_type][1] == b"\xbe\xef"


@pytest.mark.parametrize("head", FAMILIES)
def test_a_super_packet_of_udp_reaches_a_socket_as_its_datagrams(head: Headers) -> None:
    with single_namespace("host") as namespace:
        tun = namespace.call(lambda: LinuxTun("wft0"))
        udp = LinuxUdp(use_offloads=False)
        namespace.run("ip", "link", "set", "wft0", "up")
        namespace.run(
            "ip",
            "address",
            "add",
            f"{head.destination}/{16 if head.version == 4 else 64}",
            "dev",
            "wft0",
            *(("nodad",) if head.version == 6 else ()),
        )
        namespace.call(lambda: udp.open(4000))
        head = replace(head, protocol=UDP, ports=(4001).to_bytes(2, "big") + (4000).to_bytes(2, "big"))
        packets = flow(head, 33, 99, 7, 5)

        assert tun.write_packets(joined(packets)) == 1

        fileno = udp.filenos()[head.version == 6]
        batch = Batch(64, 2048)
        got: list[bytes] = []
        while select.select([fileno], [], [], 0.5 if len(got) < 33 else 0)[0]:
            got += [bytes(batch.slot(i)) for i in range(udp.receive_batch(fileno, batch))]
        assert got == [packet[head.transport + 8 :] for packet in packets]
        tun.close()
        udp.close()


def test_what_a_host_sends_in_one_piece_is_read_with_its_header() -> None:
    with single_namespace("host") as namespace:
        tun = namespace.call(lambda: LinuxTun("wft0"))
        udp = LinuxUdp()
        namespace.run("ip", "address", "add", f"{OURS}/24", "dev", "wft0")
        namespace.run("ip", "link", "set", "wft0", "up")
        namespace.call(lambda: udp.open(4000))
        batch = Batch(64, 2048)
        for number in range(40):
            batch.append(bytes([number]) * 1000, Endpoint(THEIRS, 4000))
        udp.send_batch(batch)

        packets = packet_batch(8, 1420, has_offloads=True)
        headers = []
        pieces: list[bytes] = []
        while select.select([tun.fileno()], [], [], 0.2)[0]:
            for i in range(tun.read_batch(packets)):
                start = i * packets.stride + packets.headroom
                offload = Offload.unpack(bytes(packets.buffer[start - 10 : start]))
                if bytes(packets.slot(i))[:1] == b"\x45" and packets.slot(i)[9] == UDP:
                    headers.append(offload)
                    pieces += cut(bytes(packets.slot(i)), offload)

        assert [piece[28:] for piece in pieces] == [bytes([number]) * 1000 for number in range(40)]
        assert (headers[0].flags, headers[0].gso_type, headers[0].gso_size) == (NEEDS_CSUM, 5, 1000)
        tun.close()
        udp.close()


@pytest.mark.parametrize("can_set", [{0x4D}, set()], ids=["without USO", "without any"])
def test_a_kernel_with_fewer_offloads_gives_an_interface_all_the_same(
    monkeypatch: pytest.MonkeyPatch, can_set: set[int]
) -> None:
    real = fcntl.ioctl

    def ioctl(fd: int, request: int, argument: object = 0, *rest: bool) -> object:
        if request == 0x400454D0 and (not can_set or argument & 0x60):  # type: ignore[operator]
            raise OSError(errno.EINVAL, "no such offload")
        return real(fd, request, argument, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(tun_linux.fcntl, "ioctl", ioctl)
    with single_namespace("host") as namespace:
        tun = namespace.call(lambda: LinuxTun("wft0"))
        udp = LinuxUdp()
        namespace.run("ip", "address", "add", f"{OURS}/24", "dev", "wft0")
        namespace.run("ip", "link", "set", "wft0", "up")
        namespace.call(lambda: udp.open(4000))

        assert tun.offloads == (("checksum", "tso4", "tso6") if can_set else ())
        tun.write_packets([udp_packet(THEIRS, OURS, b"whole")])

        fileno = udp.filenos()[0]
        assert select.select([fileno], [], [], 1)[0]
        batch = Batch(1, 65536)
        udp.receive_batch(fileno, batch)
        assert bytes(batch.slot(0)) == b"whole"
        tun.close()
        udp.close()


class Underlay:
    """left has a way with a small MTU and one with a usual one to right; the sockets are open."""

    def __init__(self, lab: Lab, left: LinuxUdp, mtu_bytes: int) -> None:
        ends = lab.namespace("left"), lab.namespace("right")
        self.left, self.right = left, LinuxUdp()
        small, _ = lab.link(*ends, "192.0.2.1/24 2001:db8:1::1/64", "192.0.2.2/24 2001:db8:1::2/64")
        lab.link(*ends, "198.51.100.1/24 2001:db8:2::1/64", "198.51.100.2/24 2001:db8:2::2/64")
        ends[0].run("ip", "link", "set", small, "mtu", str(mtu_bytes))
        for end, udp in zip(ends, (self.left, self.right), strict=True):
            end.call(lambda udp=udp: udp.open(0))  # type: ignore[misc]
        for host in ("2001:db8:1::2", "2001:db8:2::2"):  # neighbours of IPv6 take a moment to find each other
            wait_until(lambda host=host: ends[0].run("ping", "-c1", "-W1", host, check=False).returncode == 0, host)  # type: ignore[misc]

    def send(self, host: str, sizes: list[int]) -> tuple[int, list[bytes], list[bytes], list[int]]:
        """(how many left, what was sent, what came, segment sizes of the trains in which it came)."""
        payloads = [bytes([number]) * size for number, size in enumerate(sizes)]
        batch = Batch(len(payloads), 2048)
        for payload in payloads:
            batch.append(payload, Endpoint(host, self.right.port))
        sent = self.left.send_batch(batch)
        received = Batch(64, 65536)
        came: list[bytes] = []
        trains: list[int] = []
        fileno = self.right.filenos()[":" in host]
        while select.select([fileno], [], [], 0.3 if len(came) < len(payloads) else 0)[0]:
            for i in range(self.right.receive_batch(fileno, received)):
                came += [bytes(datagram) for datagram in received.datagrams(i)]
                trains.append(received.segment_sizes[i])
        return sent, payloads, came, trains

    def close(self) -> None:
        self.left.close()
        self.right.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.mark.parametrize("hosts", [("192.0.2.2", "198.51.100.2"), ("2001:db8:1::2", "2001:db8:2::2")], ids=["v4", "v6"])
def test_where_the_mtu_is_too_small_datagrams_go_singly_and_elsewhere_in_trains(
    lab: Lab, hosts: tuple[str, str]
) -> None:
    small, usual = hosts
    underlay = Underlay(lab, LinuxUdp(), 1280)
    sizes = [1400] * 20 + [77]

    with capture_logs() as logs:
        for _ in range(3):
            sent, payloads, came, _ = underlay.send(small, sizes)
            assert (sent, came) == (21, payloads)
    _, payloads, came, trains = underlay.send(usual, sizes)

    assert came == payloads
    assert trains == [1400]
    assert [entry["event"] for entry in logs] == ["udp_segmentation_failed"]
    assert "segmentation" in underlay.left.offloads
    underlay.close()


def test_a_kernel_that_refuses_segmentation_sends_singly(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = udp_linux._takes_option
    monkeypatch.setattr(
        udp_linux, "_takes_option", lambda sock, option, value: option != 103 and real(sock, option, value)
    )
    underlay = Underlay(lab, LinuxUdp(), 1500)

    with capture_logs() as logs:
        sent, payloads, came, trains = underlay.send("198.51.100.2", [500] * 20)

    assert (sent, came) == (20, payloads)
    assert not any(trains)
    assert underlay.left.offloads == ("gro",)
    assert logs == []
    underlay.close()


class Failing(LinuxUdp):
    """The kernel answers the next trains with these errors."""

    def __init__(self, *errors: int) -> None:
        super().__init__()
        self.errors = list(errors)

    def _segment_size(self, size: int) -> udp_linux._Ancillary:
        if self.errors:
            code = self.errors.pop(0)
            raise OSError(code, "as told")
        return super()._segment_size(size)


def test_a_card_without_checksums_switches_segmentation_off_for_all_and_says_so_once(lab: Lab) -> None:
    underlay = Underlay(lab, Failing(errno.EIO), 1500)

    with capture_logs() as logs:
        for host in ("192.0.2.2", "198.51.100.2", "2001:db8:2::2"):
            sent, payloads, came, trains = underlay.send(host, [500] * 20)
            assert (sent, came) == (20, payloads)
            assert not any(trains)

    assert [entry["event"] for entry in logs] == ["udp_segmentation_failed"]
    assert underlay.left.offloads == ("gro",)
    underlay.close()


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.EPERM, errno.EAGAIN, errno.ENETUNREACH])
def test_a_passing_failure_does_not_end_segmentation(lab: Lab, code: int) -> None:
    underlay = Underlay(lab, Failing(code), 1500)

    with capture_logs() as logs:
        sent, payloads, came, _ = underlay.send("198.51.100.2", [500] * 20)
        assert (sent, came) == (20, payloads)
        _, payloads, came, trains = underlay.send("198.51.100.2", [500] * 20)

    assert came == payloads
    assert trains == [500]
    assert logs == []
    underlay.close()


@pytest.mark.parametrize(("is_before", "is_after"), [(True, False), (False, True)], ids=["before", "afterwards"])
def test_a_forwarding_host_gets_the_super_packets_of_its_lan_whole(is_before: bool, is_after: bool) -> None:
    """Those of a LAN host hold more packets than those that the tunnel would like best, and are cut all or none."""
    with single_namespace("gate") as namespace:
        if is_before:
            namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        tun = namespace.call(lambda: LinuxTun("wft0"))
        routes = namespace.call(lambda: LinuxRoutes("wft0"))
        if is_after:
            namespace.call(lambda: routes.set_forwarding(True))

        (link,) = json.loads(namespace.run("ip", "-d", "-j", "link", "show", "wft0").stdout)

        assert link["gso_max_segs"] == 65535
        namespace.call(routes.close)
        tun.close()
