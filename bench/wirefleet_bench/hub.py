# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub with 1,000 peers: handshakes per second while data of another peer flows through it.

The left end is the hub. On the right a real spoke of the same implementation sends it 300 Mbit/s of TCP, and one
process plays the 1,000 peers (many_peers.py). Two phases: *steady* asks for a tenth more handshakes than the target and
tells whether the data suffers; *greedy* asks for as many as the hub answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from wirefleet_lab.machine import in_namespace

from . import iperf, processes
from .commands import environment
from .errors import BenchError
from .figures import Better, Figure, Sample
from .many_peers import identity_of
from .options import Options
from .stage import Stage
from .tunnels import PORT, Implementation, Tunnel, crowd_address, peer_section

PEERS = 1_000
DATA_MBIT_PER_S = 300.0
STEADY_PER_S = 330.0
# In flight at once. The hub calls itself under load from 128 waiting handshakes on and wants cookies then.
WINDOW = 32
_ANSWER_GRACE_S = 15.0

FIGURES = (
    Figure("handshakes_per_s", "handshakes, 330/s asked", "1/s", Better.HIGHER),
    Figure("data_mbit_per_s", "data beside them", "Mbit/s", Better.HIGHER),
    Figure("hub_cpu_cores", "hub's CPU", "cores", Better.LOWER, 2),
    Figure("greedy_handshakes_per_s", "handshakes, greedy", "1/s", Better.HIGHER),
    Figure("greedy_data_mbit_per_s", "data beside them", "Mbit/s", Better.HIGHER),
    Figure("greedy_hub_cpu_cores", "hub's CPU", "cores", Better.LOWER, 2),
    Figure("greedy_crowd_cpu_cores", "load generator's CPU", "cores", Better.NEITHER, 2),
    Figure("unanswered_percent", "unanswered", "%", Better.NEITHER, 2),
    Figure("kib_per_session", "RSS per peer with session", "KiB", Better.LOWER, 1),
)


class Crowd:
    """The process that plays the peers; it takes one line of JSON per phase and answers with one."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._selector = DefaultSelector()
        assert process.stdout is not None
        self._selector.register(process.stdout, EVENT_READ)

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, float]:
        """Raises BenchError if no answer comes in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError("the load generator is gone") from None
        if not self._selector.select(timeout_s):
            raise BenchError(f"the load generator told nothing for {timeout_s:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the load generator is gone")
        answer: dict[str, float] = json.loads(line)
        return answer


@contextmanager
def _crowd(tunnel: Tunnel, seed: bytes) -> Iterator[Crowd]:
    command = [sys.executable, "-P", "-m", "wirefleet_bench.many_peers"]
    process = subprocess.Popen(
        in_namespace(tunnel.right.namespace, command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment({"PYTHONPATH": str(Path(__file__).resolve().parents[1])}),
        start_new_session=True,
    )
    try:
        crowd = Crowd(process)
        crowd.ask(
            {
                "seed": seed.hex(),
                "peers": PEERS,
                "hub_key": tunnel.left.public_key,
                "hub_address": tunnel.left.place.underlay[4],
                "hub_port": PORT,
                "window": WINDOW,
            },
            _ANSWER_GRACE_S,
        )
        yield crowd
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                pipe and pipe.close()


def measure(stage: Stage, implementation: Implementation, options: Options, round_number: int) -> Sample:
    """One sample: both phases against one hub, after a second of data alone."""
    seed = os.urandom(16)
    with Tunnel(stage, implementation) as tunnel:
        iperf.transfer(tunnel.left.place, tunnel.right.place, seconds=1)
        rss_before_kib = processes.rss_kib(tunnel.left.pid)
        keys = (str(identity_of(seed, number).public_key) for number in range(PEERS))
        sections = (peer_section(key, [crowd_address(number)]) for number, key in enumerate(keys))
        tunnel.left.wg("addconf", text="".join(sections))
        with _crowd(tunnel, seed) as crowd:
            steady = _phase(tunnel, crowd, options.seconds, STEADY_PER_S)
            greedy = _phase(tunnel, crowd, options.seconds, 0)
        rss_after_kib = processes.rss_kib(tunnel.left.pid)
    return {
        "handshakes_per_s": steady["handshakes_per_s"],
        "data_mbit_per_s": steady["data_mbit_per_s"],
        "hub_cpu_cores": steady["hub_cpu_cores"],
        "greedy_handshakes_per_s": greedy["handshakes_per_s"],
        "greedy_data_mbit_per_s": greedy["data_mbit_per_s"],
        "greedy_hub_cpu_cores": greedy["hub_cpu_cores"],
        "greedy_crowd_cpu_cores": greedy["crowd_cpu_cores"],
        "unanswered_percent": steady["unanswered_percent"],
        "kib_per_session": (rss_after_kib - rss_before_kib) / PEERS,
    }


def _phase(tunnel: Tunnel, crowd: Crowd, seconds: float, rate_per_s: float) -> Sample:
    """Handshakes at this rate (0: as many as are answered) beside the stream, once that has begun."""
    hub, spoke = tunnel.left, tunnel.right
    with iperf.steady_stream(hub.place, spoke.place, seconds=seconds, mbit_per_s=DATA_MBIT_PER_S) as stream:
        time.sleep(1.0)
        cpu_before_s = processes.cpu_s(hub.pid)
        answer = crowd.ask({"seconds": seconds, "rate_per_s": rate_per_s}, seconds + _ANSWER_GRACE_S)
        cpu_after_s = processes.cpu_s(hub.pid)
        data = stream.finish()
    return {
        "handshakes_per_s": answer["answered"] / answer["seconds"],
        "data_mbit_per_s": data.mbit_per_s,
        "hub_cpu_cores": (cpu_after_s - cpu_before_s) / answer["seconds"],
        "crowd_cpu_cores": answer["cpu_s"] / answer["seconds"],
        "unanswered_percent": 100 * answer["unanswered"] / max(answer["initiations"], 1),
    }
