# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What is told about a tunnel, in the format that Prometheus reads, and what is never told."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.configs import preshared_key, public_key
from support.packets import ip_packet
from support.tunnels import LEFT, RIGHT, TunnelPair
from wirefleet_agent.drops import DropReason
from wirefleet_agent.observe.metrics import (
    AgentMetrics,
    AgentView,
    DeviceMetrics,
    Family,
    Kind,
    MetricSource,
    Row,
    ScrapeMetrics,
    Series,
    TunnelView,
)
from wirefleet_agent.observe.metrics.rendering import LINES_PER_PIECE, render_pieces
from wirefleet_agent.wire.endpoint import Endpoint

GOLDEN = Path(__file__).with_name("metrics.golden.txt")


@pytest.fixture
def pair() -> Iterator[TunnelPair]:
    made = TunnelPair()
    yield made
    made.close()


def view_of(pair: TunnelPair) -> TunnelView:
    """The left end's."""
    tunnel = pair.left.tunnel
    return TunnelView(
        name=tunnel.name,
        device=tunnel.device,
        counts=tunnel.counts,
        receive_errors=tunnel.udp.receive_errors,
        now=pair.clock.now,
        host="hub-1",
        role="hub",
        names={next(iter(tunnel.device.peers)): 'the "right" one \\ of\u00a0two'},
        is_per_peer=True,
        shows_endpoints=False,
    )


def agent_view() -> AgentView:
    return AgentView("0.1.0", "3.11.2", "linux", 1_700_000_000.25, {"config_applied": 2, "config_reverted": 0}, 0)


def text_of(*sources: MetricSource) -> str:
    return b"".join(render_pieces(sources)).decode()


def samples_of(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, /, **labels: str) -> float | None:
    """Of the one sample that has these labels among its own."""
    found = [
        number
        for (sample, its_labels), number in samples_of(text).items()
        if sample == name and its_labels >= labels.items()
    ]
    assert len(found) <= 1
    return found[0] if found else None


def talk(pair: TunnelPair) -> None:
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"ping"))
    pair.turn()
    pair.right.tun.inject(ip_packet(RIGHT, LEFT, b"pong"))
    pair.turn()


def test_the_text_is_as_it_was_recorded(pair: TunnelPair) -> None:
    """WIREFLEET_RECORD=1 writes it anew; whoever changes a name breaks dashboards."""
    talk(pair)
    pair.run_for(2.5)
    scrapes = {"answered": 3, "invalid": 1}

    text = text_of(AgentMetrics(agent_view), ScrapeMetrics(lambda: scrapes), DeviceMetrics(lambda: view_of(pair)))

    if os.environ.get("WIREFLEET_RECORD"):
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_parser_of_prometheus_reads_it(pair: TunnelPair) -> None:
    talk(pair)

    text = text_of(DeviceMetrics(lambda: view_of(pair)))
    key = str(pair.left.peer.public_key)

    assert value(text, "wirefleet_tunnel_up", tunnel="left") == 1
    assert value(text, "wirefleet_peers", tunnel="left") == 1
    assert value(text, "wirefleet_peers_with_session", tunnel="left") == 1
    assert value(text, "wirefleet_handshakes_total", role="initiator") == 1
    assert value(text, "wirefleet_handshakes_total", role="responder") == 0
    assert value(text, "wirefleet_peer_received_bytes_total", peer=key) == pair.left.peer.rx_bytes > 0
    assert value(text, "wirefleet_peer_sent_bytes_total", peer=key) == pair.left.peer.tx_bytes > 0
    assert value(text, "wirefleet_peer_received_packets_total", peer=key) == pair.left.peer.rx_datagrams
    assert value(text, "wirefleet_peer_sent_packets_total", peer=key) == pair.left.peer.tx_datagrams
    assert value(text, "wirefleet_peer_info", peer=key, name='the "right" one \\ of\u00a0two') == 1
    assert value(text, "wirefleet_peer_last_handshake_timestamp_seconds", peer=key) == pytest.approx(1_700_001_000)


def test_the_age_of_a_session_grows_and_there_is_none_before_the_first(pair: TunnelPair) -> None:
    source = DeviceMetrics(lambda: view_of(pair))
    before = text_of(source)
    talk(pair)
    pair.run_for(7)
    after = text_of(source)

    assert value(before, "wirefleet_peer_session_age_seconds") is None
    assert value(before, "wirefleet_peer_last_handshake_timestamp_seconds") == 0
    assert value(after, "wirefleet_peer_session_age_seconds") == pytest.approx(7)


def test_every_reason_to_drop_has_a_series_from_the_beginning(pair: TunnelPair) -> None:
    pair.left.tun.inject(ip_packet(LEFT, "10.99.0.1", b"nowhere"))
    pair.turn()

    text = text_of(DeviceMetrics(lambda: view_of(pair)))

    found = {
        dict(labels)["reason"]: number
        for (name, labels), number in samples_of(text).items()
        if name == "wirefleet_dropped_packets_total"
    }
    assert found == {reason.value: 0 for reason in DropReason} | {"no_route_to_peer": 1}


def test_a_peer_that_never_answers_is_counted_once_it_is_given_up(pair: TunnelPair) -> None:
    pair.left.device.set_endpoint(pair.left.peer, Endpoint("192.0.2.99", 9), pair.clock.now)
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"ping"))
    pair.turn()
    staged = value(text_of(DeviceMetrics(lambda: view_of(pair))), "wirefleet_peer_staged_packets")

    pair.run_for(130, step_s=1)

    text = text_of(DeviceMetrics(lambda: view_of(pair)))
    assert staged == 1
    assert value(text, "wirefleet_handshakes_given_up_total") == 1


def test_without_a_tunnel_there_is_nothing_to_tell() -> None:
    assert text_of(DeviceMetrics(lambda: None)) == ""


def test_a_hub_of_thousands_can_do_without_series_per_peer(pair: TunnelPair) -> None:
    text = text_of(DeviceMetrics(lambda: replace(view_of(pair), is_per_peer=False)))

    assert "wirefleet_peers" in text
    assert "peer=" not in text


def test_endpoints_are_told_to_those_alone_who_ask(pair: TunnelPair) -> None:
    talk(pair)
    endpoint = str(pair.left.peer.endpoint)

    assert endpoint.partition(":")[0] not in text_of(DeviceMetrics(lambda: view_of(pair)))
    text = text_of(DeviceMetrics(lambda: replace(view_of(pair), shows_endpoints=True)))
    assert value(text, "wirefleet_peer_endpoint_info", endpoint=endpoint) == 1


def test_no_secret_is_told(pair: TunnelPair) -> None:
    device, peer = pair.left.device, pair.left.peer
    device.set_preshared_key(peer, preshared_key("spoke"), pair.clock.now)
    private = device.private_key
    assert private is not None

    text = text_of(DeviceMetrics(lambda: replace(view_of(pair), shows_endpoints=True)))

    for secret in (private.reveal_base64(), private.reveal_hex(), preshared_key("spoke").reveal_base64()):
        assert secret not in text


@pytest.mark.parametrize("lines", [1, 2, 3, 7, LINES_PER_PIECE, 100_000])
def test_pieces_of_any_size_make_the_same_text(pair: TunnelPair, lines: int) -> None:
    for number in range(20):
        pair.left.device.add_peer(public_key(f"spoke {number}"), pair.clock.now)
    source = DeviceMetrics(lambda: view_of(pair))

    pieces = list(render_pieces([source], lines=lines))

    assert b"".join(pieces).decode() == text_of(source)
    for piece in pieces:
        assert sum(not line.startswith(b"#") for line in piece.splitlines()) <= lines
    heads = Counter(re.findall(r"# TYPE (\S+)", b"".join(pieces).decode()))
    assert set(heads.values()) == {1}


def test_peers_that_come_and_go_between_two_pieces_harm_nobody(pair: TunnelPair) -> None:
    device, keys = pair.left.device, [public_key(f"spoke {number}") for number in range(300)]
    for key in keys:
        device.add_peer(key, pair.clock.now)
    pieces = render_pieces([DeviceMetrics(lambda: view_of(pair))], lines=64)
    first = next(pieces)

    for key in keys:
        device.remove_peer(key, pair.clock.now)
    device.add_peer(public_key("newcomer"), pair.clock.now)
    text = (first + b"".join(pieces)).decode()

    assert len(list(text_string_to_metric_families(text))) > 10
    assert text.count("wirefleet_peer_sent_bytes_total{") == 301


class Watched:
    """A source with a family of a million rows that says how many of them were asked for."""

    families = (Family("wirefleet_test", Kind.GAUGE, "rows", ("number",)),)
    asked = 0

    def collect(self) -> Iterator[Series]:
        yield self.families[0], self._rows()

    def _rows(self) -> Iterator[Row]:
        for number in range(1_000_000):
            self.asked += 1
            yield (str(number),), number


def test_a_piece_of_a_large_hub_asks_for_no_more_than_it_shows() -> None:
    """That bounds its time, however slow the machine is."""
    source = Watched()
    pieces = render_pieces([source])

    for count in range(1, 51):
        next(pieces)
        assert source.asked <= count * LINES_PER_PIECE


class Strange:
    """A source whose labels are anything."""

    families = (Family("wirefleet_test", Kind.GAUGE, "a\\b\nc", ("label",)),)

    def __init__(self, *values: str) -> None:
        self._values = values

    def collect(self) -> Iterator[Series]:
        yield self.families[0], [((each,), number) for number, each in enumerate(self._values)]


def test_no_label_can_break_out_of_its_line() -> None:
    values = ('"} 1\nwirefleet_forged 1', "\\", "a\nb", 'x",y="z', "\u2028", "")

    text = text_of(Strange(*values))

    assert {dict(labels)["label"] for _, labels in samples_of(text)} == set(values)
    assert len(text.splitlines()) >= len(values) + 2
    assert not re.search(r"^wirefleet_forged", text, re.MULTILINE)


def test_counters_end_with_total_and_nothing_else_does() -> None:
    with pytest.raises(ValueError, match="_total"):
        Family("wirefleet_things", Kind.COUNTER, "")
    with pytest.raises(ValueError, match="_total"):
        Family("wirefleet_things_total", Kind.GAUGE, "")
