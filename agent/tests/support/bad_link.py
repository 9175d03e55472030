# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A UDP relay that harms: ``bad_link.py ADDRESS:PORT:PEER ADDRESS:PORT:PEER LOST DOUBLED LATE LATE_MS``.

Datagrams that come in at one address leave from the other to its peer (same port). Shares are 0 to 1; a late datagram
waits up to LATE_MS and is overtaken. Runs until it is killed; prints its seed at the start, on SIGTERM what it did.
"""

from __future__ import annotations

import heapq
import random
import select
import signal
import socket
import sys
import time
from collections import Counter
from types import FrameType

_BATCH = 64


def _open(side: str) -> tuple[socket.socket, tuple[str, int]]:
    address, port, peer = side.split(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, int(port)))
    return sock, (peer, int(port))


def main() -> None:
    sides = [_open(side) for side in sys.argv[1:3]]
    lost, doubled, late = (float(share) for share in sys.argv[3:6])
    late_s = float(sys.argv[6]) / 1000
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    did: Counter[str] = Counter()
    waiting: list[tuple[float, int, int, bytes]] = []

    def end(_signum: int, _frame: FrameType | None) -> None:
        print(dict(did), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    exits = {sides[0][0]: 1, sides[1][0]: 0}
    number = 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for entry in select.select(list(exits), [], [], pause)[0]:
            for _ in range(_BATCH):
                try:
                    datagram = entry.recv(65535)
                except BlockingIOError:
                    break
                if chance.random() < lost:
                    did["lost"] += 1
                    continue
                copies = 1
                if chance.random() < doubled:
                    did["doubled"] += 1
                    copies = 2
                for _ in range(copies):
                    when = time.monotonic()
                    if chance.random() < late:
                        did["late"] += 1
                        when += chance.random() * late_s
                    number += 1
                    heapq.heappush(waiting, (when, number, exits[entry], datagram))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, side, datagram = heapq.heappop(waiting)
            sock, peer = sides[side]
            did["sent"] += 1
            try:
                sock.sendto(datagram, peer)
            except OSError:
                did["refused"] += 1


if __name__ == "__main__":
    main()
