# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output of iperf3 3.12, iputils 20221126 and /proc, cut down to what is read."""

from __future__ import annotations

import json

import pytest
from wirefleet_bench.errors import BenchError
from wirefleet_bench.iperf import parse_transfer, parse_trial
from wirefleet_bench.machine import cpu_model
from wirefleet_bench.pings import parse_loss, parse_times_us
from wirefleet_bench.processes import parse_rss_kib, parse_stat

TCP = {
    "start": {"version": "iperf 3.12"},
    "end": {
        "sum_sent": {"bytes": 1073741900, "bits_per_second": 1717986918.4, "retransmits": 17, "sender": True},
        "sum_received": {"bytes": 1073741824, "bits_per_second": 1717000000.0, "sender": True},
    },
}
UDP = {
    "end": {
        "sum": {"seconds": 2.0, "bytes": 12800000, "packets": 200000, "lost_packets": 500, "lost_percent": 0.25},
    }
}
PINGS = """PING 10.64.0.2 (10.64.0.2) 56(84) bytes of data.
64 bytes from 10.64.0.2: icmp_seq=1 ttl=64 time=0.353 ms
64 bytes from 10.64.0.2: icmp_seq=2 ttl=64 time=1.20 ms
64 bytes from 10.64.0.2: icmp_seq=4 ttl=64 time=12 ms

--- 10.64.0.2 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 6ms
rtt min/avg/max/mdev = 0.353/4.517/12.000/5.000 ms
"""


def test_a_tcp_test_tells_what_arrived_and_what_was_sent_again():
    transfer = parse_transfer(json.dumps(TCP))

    assert transfer.mbit_per_s == 1717.0
    assert transfer.received_gib == 1.0
    assert transfer.retransmits == 17


def test_a_udp_test_tells_rates_and_loss():
    trial = parse_trial(json.dumps(UDP), seconds=2)

    assert trial == (100_000, 99_750, 0.0025)


def test_a_udp_test_that_sent_nothing_lost_everything():
    nothing = {"end": {"sum": {"seconds": 0, "packets": 0, "lost_packets": 0}}}

    assert parse_trial(json.dumps(nothing), seconds=1).loss == 1.0


@pytest.mark.parametrize(
    "text",
    ["", "iperf3: error", '{"start": {}}', '{"end": {}}', json.dumps({"end": {}, "error": "unable to connect"})],
)
def test_a_test_without_a_result_is_an_error(text):
    with pytest.raises(BenchError, match="iperf3"):
        parse_transfer(text)


def test_every_answer_to_a_ping_is_read():
    assert parse_times_us(PINGS) == pytest.approx([353, 1200, 12_000])
    assert parse_loss(PINGS) == 0.25


def test_pings_without_a_total_are_an_error():
    with pytest.raises(BenchError):
        parse_loss("PING 10.64.0.2 (10.64.0.2) 56(84) bytes of data.\n")


def test_the_name_of_a_process_may_hold_anything():
    text = "42 (a) b (c) S 1 42 42 0 -1 4194560 10 0 0 0 150 50 0 0 20 0 1 0 100 0 0"

    stat = parse_stat(text)

    assert (stat.name, stat.cpu_s) == ("a) b (c", 2.0)
    assert not stat.is_zombie
    assert not stat.is_kernel_thread


def test_the_dead_and_the_kernels_own_are_told_apart():
    assert parse_stat("42 (x) Z 1 42 42 0 -1 4228100 0 0 0 0 150 50 0 0").is_zombie
    assert parse_stat("42 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 150 50 0 0").is_kernel_thread


def test_resident_memory_is_read_and_a_kernel_thread_has_none():
    assert parse_rss_kib("Name:\tx\nVmHWM:\t 200 kB\nVmRSS:\t  123 kB\n") == 123
    with pytest.raises(ValueError):
        parse_rss_kib("Name:\tkthreadd\n")


def test_the_processors_model_is_the_first_one():
    assert cpu_model("processor\t: 0\nmodel name\t: Example 9000\n\nmodel name\t: other\n") == "Example 9000"
