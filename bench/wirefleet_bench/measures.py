# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of one tunnel: throughput, its price in processor time, small packets, latency, memory.

Every measure gets a stage, an implementation and the options, makes tunnels of its own, and gives one sample. Nothing
is carried over from one sample to the next, neither a heap that has grown nor a session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from . import hub, iperf, lossless, pings, processes
from .errors import BenchError
from .figures import Better, Figure, Sample
from .options import Options
from .stage import Stage
from .statistics import percentile
from .tunnels import Implementation, Tunnel, strangers

_UDP_PAYLOAD_BYTES = 64
_UDP_START_PPS = 30_000.0
_PING_INTERVAL_S = 0.002
_SILENCE_S = 3.0
_MANY_PEERS = (1_000, 10_000)
_SETUP_S = 2.0

Run = Callable[[Stage, Implementation, Options, int], Sample]


@dataclass(frozen=True)
class Measure:
    """name: for --only. max_rounds: more rounds add nothing. estimate_s: how long one sample takes, about."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    run: Run
    estimate_s: Callable[[Options], float]
    max_rounds: int = 100


def _tcp(*, family: int = 4, streams: int = 1, is_reverse: bool = False) -> Run:
    def run(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
        with Tunnel(stage, implementation) as tunnel:
            return _transferred(tunnel, options, family=family, streams=streams, is_reverse=is_reverse)

    return run


def _transferred(
    tunnel: Tunnel, options: Options, *, family: int = 4, streams: int = 1, is_reverse: bool = False
) -> Sample:
    """iperf3's client is on the left. CPU is that of the two tunnel processes, not iperf3's."""
    left, right = tunnel.left, tunnel.right
    sender, receiver = (right, left) if is_reverse else (left, right)
    before = processes.cpu_s(sender.pid), processes.cpu_s(receiver.pid)
    done = iperf.transfer(
        right.place, left.place, seconds=options.seconds, family=family, streams=streams, is_reverse=is_reverse
    )
    after = processes.cpu_s(sender.pid), processes.cpu_s(receiver.pid)
    gib = max(done.received_gib, 1e-9)
    return {
        "mbit_per_s": done.mbit_per_s,
        "cpu_s_per_gib_sender": (after[0] - before[0]) / gib,
        "cpu_s_per_gib_receiver": (after[1] - before[1]) / gib,
        "retransmits": done.retransmits,
    }


def _underlay6(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
    """Over IPv4 and IPv6 right after one another, in alternating order: the two are compared with each other."""
    samples: dict[int, Sample] = {}
    for family in (4, 6) if round_number % 2 else (6, 4):
        with Tunnel(stage, implementation, family=family) as tunnel:
            samples[family] = _transferred(tunnel, options)
    return {
        "mbit_per_s": samples[6]["mbit_per_s"],
        "mbit_per_s_v4": samples[4]["mbit_per_s"],
        "v6_by_v4": samples[6]["mbit_per_s"] / max(samples[4]["mbit_per_s"], 1e-9),
    }


def _udp(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
    seconds = max(1.0, options.seconds / 3)
    with Tunnel(stage, implementation) as tunnel:

        def trial(packets_per_s: float) -> lossless.Trial:
            return iperf.udp_trial(
                tunnel.right.place,
                tunnel.left.place,
                packets_per_s=packets_per_s,
                payload_bytes=_UDP_PAYLOAD_BYTES,
                seconds=seconds,
            )

        found = lossless.search(trial, start_pps=_UDP_START_PPS)
    return {
        "lossless_pps": found.lossless_pps,
        "greatest_pps": found.greatest_pps,
        "limited_by_sender": float(found.by_sender),
    }


def _ping(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
    with Tunnel(stage, implementation) as tunnel:
        address = tunnel.right.place.overlay[4]
        pings.round_trips(tunnel.left.place, address, count=100, interval_s=_PING_INTERVAL_S)  # warm-up
        times_us, loss = pings.round_trips(tunnel.left.place, address, count=options.pings, interval_s=_PING_INTERVAL_S)
    return {"p50_us": percentile(times_us, 50), "p99_us": percentile(times_us, 99), "lost_percent": 100 * loss}


def _memory(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
    """Each count of peers in a process of its own, from its start to when ``wg show`` lists them all."""
    rss_kib = {0: 0.0}
    took_s = 0.0
    with Tunnel(stage, implementation) as tunnel:
        time.sleep(_SILENCE_S)
        rss_kib[0] = processes.rss_kib(tunnel.left.pid)
    for count in _MANY_PEERS:
        sections = strangers(count)
        began = time.monotonic()
        with Tunnel(stage, implementation) as tunnel:
            tunnel.left.wg("addconf", text=sections)
            listed = tunnel.left.peers()
            took_s = time.monotonic() - began
            if listed != count + 1:
                raise BenchError(f"{listed} peers of {count + 1} are listed")
            tunnel.warm_up()
            time.sleep(_SILENCE_S)
            rss_kib[count] = processes.rss_kib(tunnel.left.pid)
    few, many = _MANY_PEERS
    return {
        "rss_mib": rss_kib[0] / 1024,
        "rss_mib_1001_peers": rss_kib[few] / 1024,
        "rss_mib_10001_peers": rss_kib[many] / 1024,
        "kib_per_peer": (rss_kib[many] - rss_kib[0]) / many,
        "start_10000_s": took_s,
    }


_TCP_FIGURES = (
    Figure("mbit_per_s", "throughput", "Mbit/s", Better.HIGHER),
    Figure("cpu_s_per_gib_sender", "CPU per GiB, sender", "s", Better.LOWER, 2),
    Figure("cpu_s_per_gib_receiver", "CPU per GiB, receiver", "s", Better.LOWER, 2),
    Figure("retransmits", "retransmits", "", Better.NEITHER),
)


def _tcp_estimate_s(options: Options) -> float:
    return options.seconds + _SETUP_S


MEASURES = (
    Measure("tcp", "TCP, one stream", _TCP_FIGURES, _tcp(), _tcp_estimate_s),
    Measure("streams", "TCP, four streams", _TCP_FIGURES, _tcp(streams=4), _tcp_estimate_s),
    Measure("reverse", "TCP, reverse", _TCP_FIGURES, _tcp(is_reverse=True), _tcp_estimate_s),
    Measure("inner6", "TCP over IPv6 inside", _TCP_FIGURES, _tcp(family=6), _tcp_estimate_s),
    Measure(
        "underlay6",
        "TCP, IPv6 underlay",
        (
            Figure("mbit_per_s", "throughput", "Mbit/s", Better.HIGHER),
            Figure("mbit_per_s_v4", "IPv4 beside it", "Mbit/s", Better.HIGHER),
            Figure("v6_by_v4", "IPv6 by IPv4", "", Better.NEITHER, 2),
        ),
        _underlay6,
        lambda options: 2 * (options.seconds + _SETUP_S),
    ),
    Measure(
        "udp",
        "UDP, 64 bytes",
        (
            Figure("lossless_pps", "loss at most 0.1 %", "1/s", Better.HIGHER),
            Figure("greatest_pps", "most that arrived", "1/s", Better.HIGHER),
            Figure("limited_by_sender", "limited by iperf3", "", Better.NEITHER, 1),
        ),
        _udp,
        lambda options: 10 * (max(1.0, options.seconds / 3) + 0.3) + _SETUP_S,
    ),
    Measure(
        "ping",
        "Ping, idle tunnel",
        (
            Figure("p50_us", "p50", "us", Better.LOWER),
            Figure("p99_us", "p99", "us", Better.LOWER),
            Figure("lost_percent", "lost", "%", Better.NEITHER, 2),
        ),
        _ping,
        lambda options: options.pings * _PING_INTERVAL_S * 1.3 + _SETUP_S,
    ),
    Measure(
        "memory",
        "Idle process",
        (
            Figure("rss_mib", "RSS, one peer", "MiB", Better.LOWER, 1),
            Figure("rss_mib_1001_peers", "RSS, 1,001 peers", "MiB", Better.LOWER, 1),
            Figure("rss_mib_10001_peers", "RSS, 10,001 peers", "MiB", Better.LOWER, 1),
            Figure("kib_per_peer", "RSS per further peer", "KiB", Better.LOWER, 1),
            Figure("start_10000_s", "start with 10,000 peers", "s", Better.LOWER, 2),
        ),
        _memory,
        lambda options: 3 * (_SILENCE_S + _SETUP_S) + 5,
        max_rounds=3,
    ),
    Measure(
        "hub",
        "Hub with 1,000 peers",
        hub.FIGURES,
        hub.measure,
        lambda options: 2 * (options.seconds + 2) + _SETUP_S + 6,
        max_rounds=3,
    ),
)
