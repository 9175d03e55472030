# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What traffic notices of a fault: a ping every ten milliseconds, and a TCP stream with a block in the same rhythm.

This is a program of its own, so that it can run where a host's network is, and needs nothing but Python and ``ping``:
``python flows.py sink ADDRESS`` on one host, ``python flows.py stream ADDRESS`` and ``python flows.py ping ADDRESS`` on
the other. Each prints its report as one line of JSON.

An *outage* is the longest time in which nothing arrived, less the rhythm. TCP's own is longer than that of the path:
it tries again at doubling intervals, so its retry may come late by as much again.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

INTERVAL_S = 0.01
PORT = 7007
CONNECT_S = 10.0
PATIENCE_S = 20.0  # a stream that stands still for longer has broken, whatever TCP would say
BLOCK = struct.Struct("!Q56x")
_REPLY = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+) .*time=", re.MULTILINE)
_SEQUENCE_NUMBERS = 1 << 16


@dataclass(frozen=True)
class Outage:
    """Of one flow. outage_s: longest silence, less the rhythm; lost: packets (of a stream: 1 if it broke)."""

    outage_s: float
    received: int
    lost: int


def ping_command(address: str, seconds: float) -> list[str]:
    """The argument vector of a series of pings whose output ``read_pings`` understands. It ends after whole seconds.

    Not after so many packets: a busy host sends them at a slower pace than it was asked to.
    """
    return ["ping", "-n", "-D", "-i", str(INTERVAL_S), "-w", str(math.ceil(seconds)), address]


def read_pings(output: str, ended_at: float) -> Outage:
    """Loss and outage of a series of pings. ended_at: in the clock of its time stamps (seconds since 1970).

    A packet counts as lost if a later one was answered: the last ones may still be under way. That no answer came any
    more shows in the outage.
    """
    arrivals: dict[int, float] = {}
    turns, former = 0, 0
    for match in _REPLY.finditer(output):
        number = int(match[2])
        turns += number + _SEQUENCE_NUMBERS // 2 < former  # 16 bits on the wire
        former = number
        arrivals.setdefault(turns * _SEQUENCE_NUMBERS + number, float(match[1]))
    if not arrivals:
        return Outage(float("inf"), 0, 0)
    lost = max(arrivals) - min(arrivals) + 1 - len(arrivals)
    return Outage(longest_silence_s(sorted(arrivals.values()), ended_at), len(arrivals), lost)


def longest_silence_s(arrivals: Sequence[float], ended_at: float) -> float:
    """The longest time without an arrival, the one before the end included, less the rhythm."""
    ends = [*arrivals[1:], max(ended_at, arrivals[-1])]
    return max(0.0, max(end - start for start, end in zip(arrivals, ends, strict=True)) - INTERVAL_S)


def ping(address: str, seconds: float) -> dict[str, object]:
    """What a series of pings notices; outage_s is None if there was never an answer."""
    ends_at = time.time() + math.ceil(seconds)  # ping itself may take some time longer to end
    done = subprocess.run(
        ping_command(address, seconds), capture_output=True, text=True, timeout=seconds + PATIENCE_S, check=False
    )
    seen = read_pings(done.stdout, min(ends_at, time.time()))
    outage_s = seen.outage_s if seen.received else None
    return {"outage_s": outage_s, "received": seen.received, "lost": seen.lost, "error": done.stderr.strip() or None}


def stream(address: str, port: int, seconds: float, control: Sequence[int] = ()) -> dict[str, object]:
    """Send a numbered block in every interval until the time is over or ``control`` (a descriptor) has ended."""
    sent, error = 0, None
    try:
        with _connected(address, port) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(PATIENCE_S)
            began = time.monotonic()
            while time.monotonic() - began < seconds:
                connection.sendall(BLOCK.pack(sent))
                sent += 1
                pause_s = max(0.0, began + sent * INTERVAL_S - time.monotonic())
                if select.select(control, [], [], pause_s)[0]:
                    break
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):  # the sink closes once it has everything
                pass
    except OSError as failure:
        error = str(failure)
    return {"sent": sent, "error": error}


def _connected(address: str, port: int) -> socket.socket:
    """The sink may begin a moment later than the stream. Raises OSError."""
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            return socket.create_connection((address, port), timeout=CONNECT_S)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def sink(address: str, port: int, seconds: float) -> dict[str, object]:
    """Take one stream until its end; when each block came. Blocks out of order or none at all are an error."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    arrivals: list[float] = []
    error = None
    with socket.create_server((address, port), family=family) as server:
        print("ready", flush=True)
        server.settimeout(seconds)
        try:
            connection, _peer = server.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                rest = b""
                while data := connection.recv(65536):
                    now, rest = time.monotonic(), rest + data
                    while len(rest) >= BLOCK.size:
                        if BLOCK.unpack_from(rest)[0] != len(arrivals):
                            raise OSError("a block is missing")
                        arrivals.append(now)
                        rest = rest[BLOCK.size :]
        except OSError as failure:
            error = str(failure)
        ended_at = time.monotonic()
    outage_s = longest_silence_s(arrivals, ended_at) if arrivals else None
    return {"received": len(arrivals), "outage_s": outage_s, "error": error}


def read_stream(sender: dict[str, object], receiver: dict[str, object]) -> Outage:
    """What both ends of a stream have printed. It survived if neither saw an error and every block arrived."""
    received, outage_s = int(str(receiver["received"])), receiver["outage_s"]
    is_whole = not sender["error"] and not receiver["error"] and sender["sent"] == received > 0
    return Outage(float("inf") if outage_s is None else float(str(outage_s)), received, 0 if is_whole else 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the three for so many seconds; a stream also ends with stdin, if asked to."""
    parser = argparse.ArgumentParser(description="One end of a measured flow.")
    parser.add_argument("what", choices=["sink", "stream", "ping"])
    parser.add_argument("address")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--until-eof", action="store_true")
    options = parser.parse_args(argv)
    if options.what == "sink":
        report = sink(options.address, options.port, options.seconds)
    elif options.what == "stream":
        control = [sys.stdin.fileno()] if options.until_eof else []
        report = stream(options.address, options.port, options.seconds, control)
    else:
        report = ping(options.address, options.seconds)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
