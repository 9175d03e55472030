# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Traffic that runs beside a test: endless pings that account for every one, transfers with checksums, UDP echoes."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
from pathlib import Path

from support.netns import Namespace, Process, wait_until

_REPLY = re.compile(r"icmp_seq=(\d+) ttl=")
_STAMP = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=\d+ ttl=", re.MULTILINE)
_SENT = re.compile(r"(\d+) packets transmitted")
_TRANSFER_TIMEOUT_S = 90.0
# A packet costs a socket's buffer of 208 KiB at most 2.3 KiB: half of it for the transfer, the other for the pings.
GENTLE_WINDOW_BYTES = 64 << 10


class PingStream:
    """Pings until ``missing`` is asked; every sequence number that was not answered before a later one is told."""

    _OPTIONS: tuple[str, ...] = ()

    def __init__(self, namespace: Namespace, address: str, interval_s: float = 0.01, *, size: int = 56) -> None:
        self.address = address
        options = ("-n", *self._OPTIONS, "-i", str(interval_s), "-s", str(size))
        self._process = namespace.start("ping", *options, address)

    @property
    def received(self) -> set[int]:
        return {int(number) for number in _REPLY.findall(self._process.output)}

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for_replies(self, count: int, timeout_s: float = 20.0) -> None:
        """Until ``count`` more pings are answered than now."""
        target = len(self.received) + count
        wait_until(lambda: len(self.received) >= target, f"{count} more answers from {self.address}", timeout_s)

    def missing(self) -> list[int]:
        """Stop; the pings without an answer, among all that were followed by one that has."""
        self.wait_for_replies(5)
        self._process.signal(signal.SIGINT)
        self._process.wait()
        received = self.received
        assert _SENT.search(self._process.output), self._process.output[-500:]
        return sorted(set(range(1, max(received) + 1)) - received)


class TimedPings(PingStream):
    """Pings whose answers bear the time: outages are read off the clock.

    Not lost pings times the interval that was asked for: a busy host sends later than that, and the outage would look
    shorter than it was.
    """

    _OPTIONS = ("-D",)

    @property
    def answered_at(self) -> list[float]:
        return [float(stamp) for stamp in _STAMP.findall(self._process.output)]

    def longest_outage_s(self) -> float:
        """Stop; the longest time between two answers, one after the other."""
        self.missing()
        return max(after - before for before, after in itertools.pairwise(self.answered_at))


def is_silent(namespace: Namespace, address: str) -> bool:
    """Whether three pings in a row stay without an answer."""
    result = namespace.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address, check=False)
    return result.returncode == 1 and " 0 received" in result.stdout


_RECEIVER = """
import hashlib, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
if window := int(sys.argv[4]):
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
print('listening', flush=True)
listener.settimeout(float(sys.argv[3]))
connection, _ = listener.accept()
connection.settimeout(float(sys.argv[3]))
digest, count = hashlib.sha256(), 0
while chunk := connection.recv(1 << 16):
    digest.update(chunk)
    count += len(chunk)
print('done', count, digest.hexdigest(), flush=True)
"""
_SENDER = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
with open(sys.argv[4], 'rb') as file:
    connection.sendfile(file)
connection.close()
"""


class Transfer:
    """One TCP connection that carries random bytes; starts at once.

    window_bytes: at most so much is on its way; 0 lets the kernel choose. Where pings beside it are counted it has to
    be small (``GENTLE_WINDOW_BYTES``): wireguard-go keeps its socket's default buffer, and a burst of data or
    acknowledgements that a busy machine lets pile up would flow over there and take pings with it.
    """

    def __init__(
        self,
        sender: Namespace,
        receiver: Namespace,
        address: str,
        directory: Path,
        *,
        size: int,
        port: int = 7100,
        window_bytes: int = 0,
    ) -> None:
        self._file = directory / f"transfer-{receiver.label}-{port}"
        # Random, but not all of it: making it must not cost more than sending it.
        block = os.urandom(min(size, 1 << 20))
        self._file.write_bytes((block * (size // len(block) + 1))[:size])
        self._size = size
        arguments = (address, str(port), str(_TRANSFER_TIMEOUT_S))
        self._receiver = receiver.start("python3", "-c", _RECEIVER, *arguments, str(window_bytes))
        wait_until(lambda: "listening" in self._receiver.output, "the receiver listens")
        self._sender = sender.start("python3", "-c", _SENDER, *arguments, str(self._file))

    @property
    def is_running(self) -> bool:
        return self._receiver.is_running

    def assert_unharmed(self) -> None:
        """Wait for the end; same length, same SHA-256."""
        assert self._sender.wait(_TRANSFER_TIMEOUT_S) == 0, self._sender.output
        assert self._receiver.wait(_TRANSFER_TIMEOUT_S) == 0, self._receiver.output
        digest = hashlib.sha256(self._file.read_bytes()).hexdigest()
        assert self._receiver.output.split()[1:] == ["done", str(self._size), digest]


_ECHO = """
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], int(sys.argv[2])))
print('listening', flush=True)
while True:
    datagram, source = sock.recvfrom(65535)
    sock.sendto(datagram, source)
"""
_ASK = """
import os, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.settimeout(10)
sock.connect((sys.argv[1], int(sys.argv[2])))
for size in map(int, sys.argv[3:]):
    datagram = os.urandom(size)
    sock.send(datagram)
    assert sock.recv(65535) == datagram, size
"""


def udp_echo(namespace: Namespace, address: str, port: int = 7200) -> Process:
    """Answers every datagram with itself, until the lab ends."""
    process = namespace.start("python3", "-c", _ECHO, address, str(port))
    wait_until(lambda: "listening" in process.output, "the echo listens")
    return process


def ask_udp_echo(namespace: Namespace, address: str, sizes: tuple[int, ...], port: int = 7200) -> None:
    """Send one datagram of each size and compare what comes back."""
    namespace.run("python3", "-c", _ASK, address, str(port), *map(str, sizes))
