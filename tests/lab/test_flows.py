# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ping and a TCP stream tell of an outage."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from wirefleet_lab import flows  # noqa: E402

PROGRAM = CHECKOUT / "lab" / "wirefleet_lab" / "flows.py"


def replies(*numbers_and_times):
    lines = [
        f"[{at:.6f}] 64 bytes from 10.86.0.5: icmp_seq={number} ttl=62 time=3.1 ms" for number, at in numbers_and_times
    ]
    return "\n".join(["PING 10.86.0.5 (10.86.0.5) 56(84) bytes of data.", *lines, "", "--- statistics ---"])


def test_a_calm_series_has_no_outage_and_no_loss():
    output = replies(*((n, 100 + n * 0.01) for n in range(1, 51)))

    seen = flows.read_pings(output, ended_at=100.5)

    assert (seen.received, seen.lost) == (50, 0)
    assert seen.outage_s == pytest.approx(0, abs=1e-6)


def test_an_outage_is_the_longest_silence_and_its_packets_are_lost():
    times = [(1, 100.01), (2, 100.02), (3, 100.03), (153, 101.53), (154, 101.54), (157, 101.57)]

    seen = flows.read_pings(replies(*times), ended_at=101.58)

    assert seen.outage_s == pytest.approx(1.49)
    assert (seen.received, seen.lost) == (6, 149 + 2)


def test_a_series_that_never_came_back_counts_until_its_end():
    seen = flows.read_pings(replies((1, 100.0), (2, 100.01)), ended_at=108.0)

    assert seen.outage_s == pytest.approx(7.98)
    assert seen.lost == 0


def test_late_and_repeated_answers_are_no_loss():
    times = [(1, 100.0), (3, 100.02), (2, 100.025), (2, 100.026), (4, 100.03)]

    seen = flows.read_pings(replies(*times), ended_at=100.04)

    assert (seen.received, seen.lost) == (4, 0)


def test_sequence_numbers_go_on_after_their_sixteen_bits():
    times = [(65534, 100.0), (65535, 100.01), (0, 100.02), (1, 100.03)]

    seen = flows.read_pings(replies(*times), ended_at=100.04)

    assert (seen.received, seen.lost) == (4, 0)


def test_nothing_at_all_is_an_endless_outage():
    assert math.isinf(flows.read_pings("From 10.86.0.4 icmp_seq=1 Destination Host Unreachable", 1.0).outage_s)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def end_of_stream(*arguments):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_both_ends_of_a_stream_agree_and_it_ends_when_stdin_does():
    port = free_port()
    with end_of_stream("sink", "127.0.0.1", "--port", port) as sink:
        assert sink.stdout.readline() == "ready\n"
        with end_of_stream("stream", "127.0.0.1", "--port", port, "--seconds", 60, "--until-eof") as stream:
            os.set_blocking(stream.stdout.fileno(), False)
            with pytest.raises(subprocess.TimeoutExpired):
                stream.wait(2)
            sent = json.loads(stream.communicate(timeout=10)[0])
        received = json.loads(sink.communicate(timeout=10)[0])

    seen = flows.read_stream(sent, received)
    assert seen.lost == 0
    assert seen.received == sent["sent"] > 5
    assert seen.outage_s < 1


def test_a_stream_whose_other_end_dies_is_broken():
    port = free_port()
    with end_of_stream("sink", "127.0.0.1", "--port", port) as sink:
        assert sink.stdout.readline() == "ready\n"
        with end_of_stream("stream", "127.0.0.1", "--port", port, "--seconds", 60, "--until-eof") as stream:
            with pytest.raises(subprocess.TimeoutExpired):
                stream.wait(0.3)
            sink.kill()
            sent = json.loads(stream.communicate(timeout=10)[0])

    assert sent["error"] or sent["sent"] > 0
    assert flows.read_stream(sent, {"received": 3, "outage_s": 0.0, "error": None}).lost == 1


@pytest.mark.parametrize(
    ("sent", "received", "is_broken"),
    [
        ({"sent": 9, "error": None}, {"received": 9, "outage_s": 0.2, "error": None}, 0),
        ({"sent": 9, "error": None}, {"received": 8, "outage_s": 0.2, "error": None}, 1),
        ({"sent": 9, "error": "Connection reset"}, {"received": 9, "outage_s": 0.2, "error": None}, 1),
        ({"sent": 9, "error": None}, {"received": 9, "outage_s": 0.2, "error": "timed out"}, 1),
        ({"sent": 0, "error": None}, {"received": 0, "outage_s": None, "error": None}, 1),
    ],
)
def test_a_stream_survives_only_whole(sent, received, is_broken):
    assert flows.read_stream(sent, received).lost == is_broken


def test_a_stream_ends_by_itself_after_its_time():
    port = free_port()
    with end_of_stream("sink", "127.0.0.1", "--port", port) as sink:
        assert sink.stdout.readline() == "ready\n"
        with end_of_stream("stream", "127.0.0.1", "--port", port, "--seconds", 0.3) as stream:
            sent = json.loads(stream.communicate(timeout=10)[0])
        received = json.loads(sink.communicate(timeout=10)[0])

    assert flows.read_stream(sent, received).lost == 0


def test_pings_of_this_machine_have_no_outage():
    report = flows.ping("127.0.0.1", 1)

    assert report["received"] > 20
    assert report["lost"] == 0
    assert report["outage_s"] < 0.4
