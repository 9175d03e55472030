# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill's order of things and its report, on a stage that only writes down what it is told."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from wirefleet_lab.drill import (  # noqa: E402
    KINDS,
    Drill,
    Result,
    from_measurements,
    one_line,
    percentile,
    report,
    run_drill,
    summary,
    table,
)
from wirefleet_lab.drill_stage import LabStage, carrier  # noqa: E402
from wirefleet_lab.flows import Outage  # noqa: E402
from wirefleet_lab.topology import LabError  # noqa: E402


class WrittenStage:
    """Writes its calls down. fails: raises at this call."""

    def __init__(self, fails: str = "", stalls: tuple[float, ...] = ()) -> None:
        self.said: list[str] = []
        self._fails = fails
        self._stalls = list(stalls)

    def _say(self, what: str) -> None:
        self.said.append(what)
        if what == self._fails:
            raise LabError(what)

    def bring_to(self, hub):
        self._say(f"bring to {hub}")

    def wait_until_well(self):
        self._say("well")

    def active_hub(self):
        self._say("active")
        return "hub-2"

    def sleep(self, seconds):
        self._say(f"sleep {seconds:g}")

    @contextlib.contextmanager
    def fault(self, kind, hub):
        self._say(f"{kind} {hub}")
        try:
            yield
        finally:
            self.said.append("repaired")

    @contextlib.contextmanager
    def measured(self):
        self._say("flows")
        try:
            stall_s = self._stalls.pop(0) if self._stalls else 0.01
            yield lambda: (Outage(1.2, 900, 120), Outage(1.6, 800, 0), stall_s)
        finally:
            self.said.append("no flows")


def result(kind="kill", outage_s=1.0, lost=100, stream_s=1.5, broken=0):
    return Result(1, kind, "hub-1", "hub-2", Outage(outage_s, 500, lost), Outage(stream_s, 500, broken))


def test_each_fault_is_measured_from_before_it_until_after_its_repair():
    stage = WrittenStage()

    run_drill(Drill(["kill"], ["hub-1"], hold_s=6, settle_s=3), stage, lambda _: None)

    assert stage.said == [
        *("well", "bring to hub-1", "flows", "sleep 1"),
        *("kill hub-1", "sleep 6", "active", "repaired", "sleep 3", "no flows"),
    ]


def test_every_round_has_every_kind_at_every_hub_and_each_is_told_at_once():
    told = []

    results = run_drill(Drill(["kill", "drain"], ["hub-1", "hub-3"], 2), WrittenStage(), told.append)

    assert [(one.round, one.kind, one.hub) for one in results] == [
        *((1, "kill", "hub-1"), (1, "kill", "hub-3"), (1, "drain", "hub-1"), (1, "drain", "hub-3")),
        *((2, "kill", "hub-1"), (2, "kill", "hub-3"), (2, "drain", "hub-1"), (2, "drain", "hub-3")),
    ]
    assert told == results


def test_a_fault_during_which_the_machine_stood_still_is_made_again_and_does_not_count():
    told = []

    results = run_drill(Drill(["kill"], ["hub-1", "hub-2"]), WrittenStage(stalls=(0.02, 3.9, 0.05)), told.append)

    assert [(one.hub, one.stall_s) for one in results] == [("hub-1", 0.02), ("hub-2", 0.05)]
    assert [one.stall_s for one in told] == [0.02, 3.9, 0.05]
    assert "stood still for 3.90 s: again" in one_line(told[1])
    assert "stood still" not in one_line(told[0])


class StageOfCalls(LabStage):
    """Without a lab: writes down what agents are told, and fails at one of them."""

    def __init__(self, fails: str) -> None:
        self.said: list[str] = []
        self._fails = fails

    def agent(self, host, *verb):
        self.said.append(" ".join((host, *verb)))
        if self.said[-1] == self._fails:
            raise LabError("not done")
        return {}


def test_a_drain_that_is_not_done_in_time_is_taken_back():
    stage = StageOfCalls(fails="hub-2 drain --wait")

    with pytest.raises(LabError), stage.fault("drain", "hub-2"):
        pass

    assert stage.said == ["hub-2 drain --wait", "hub-2 resume"]


def test_a_machine_that_stands_still_again_and_again_ends_the_drill():
    told = []

    with pytest.raises(LabError, match="itself stood still, for 2"):
        run_drill(Drill(["kill"], ["hub-1"]), WrittenStage(stalls=(2.0,) * 9), told.append)

    assert len(told) == 3


def test_a_witness_sees_that_its_process_was_stopped():
    code = """
from wirefleet_lab.witness import Witness
with Witness() as seen:
    print(1, flush=True)
    input()
print(seen.stall_s)
"""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "lab")}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)
        said = process.communicate("\n")[0]

    assert float(said) > 0.4


@pytest.mark.parametrize("fails", ["sleep 6", "active", "sleep 3"])
def test_whatever_fails_the_fault_is_repaired_and_the_flows_end(fails):
    stage = WrittenStage(fails)

    with pytest.raises(LabError):
        run_drill(Drill(["blackhole"], ["hub-1"]), stage, lambda _: None)

    assert stage.said.count("repaired") == 1
    assert stage.said[-1] == "no flows"


def test_unknown_kinds_and_empty_drills_are_refused():
    for arguments in ((["flood"], ["hub-1"]), ([], ["hub-1"]), (["kill"], []), (["kill"], ["hub-1"], 0)):
        with pytest.raises(LabError):
            Drill(*arguments)
    assert KINDS == ("kill", "blackhole", "one-way-in", "one-way-out", "slow", "drain")


@pytest.mark.parametrize(("share", "expected"), [(0.5, 15), (0.99, 30), (0.0, 1), (1.0, 30)])
def test_percentiles_are_values_that_were_measured(share, expected):
    assert percentile(range(1, 31), share) == expected


def test_a_percentile_of_one_value_is_that_value():
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


def test_the_summary_has_a_row_per_kind():
    rows = summary([result(outage_s=1.1), result("drain", 0.0, 0, 0.2), result(outage_s=1.9, lost=3, broken=1)])

    assert list(rows) == ["kill", "drain"]
    assert rows["kill"] == {
        "faults": 2,
        "p50_s": 1.1,
        "p99_s": 1.9,
        "worst_s": 1.9,
        "pings_lost": 103,
        "pings_lost_at_most": 100,
        "stream_p50_s": 1.5,
        "stream_p99_s": 1.5,
        "streams_broken": 1,
    }
    assert rows["drain"]["pings_lost"] == 0


def test_the_report_is_json_even_if_a_flow_never_came_back():
    drill = Drill(["kill"], ["hub-1"])

    document = report(drill, {"from": "spoke-1"}, [result(outage_s=math.inf)])

    again = json.loads(json.dumps(document, allow_nan=False))
    assert again["summary"]["kill"]["p99_s"] is None
    assert again["faults"][0]["ping"]["outage_s"] is None
    assert "never" in table(again["summary"])


def test_the_table_lines_up():
    lines = table(report(Drill(["kill", "drain"], ["hub-1"]), {}, [result(), result("drain", 0.0, 0)])["summary"])

    first, kill, drain = lines.splitlines()
    assert first.index("p50 s") + 5 == kill.index("1.00") + 4 == drain.index("0.00") + 4


def test_progress_says_when_a_stream_broke():
    assert one_line(result(broken=1)).endswith("now over hub-2, the TCP stream broke")


def status(*allowed_ips, groups=()):
    peers = [{"name": f"hub-{n}", "allowed_ips": list(texts)} for n, texts in enumerate(allowed_ips, start=1)]
    return {"peers": peers, "groups": list(groups)}


def test_the_carrier_is_the_peer_with_the_longest_prefix():
    seen = status(["10.86.0.1/32"], ["10.86.0.2/32", "10.86.0.0/24", "fd86::/64"], ["10.86.0.3/32", "fd86::3/128"])

    assert carrier(seen, "10.86.0.5") == "hub-2"
    assert carrier(seen, "10.86.0.3") == "hub-3"
    with pytest.raises(LabError):
        carrier(seen, "192.0.2.1")


MEASURED = {
    "round": 1,
    "kind": "drain",
    "hub": "hub-1",
    "moved_to": "hub-2",
    "ping": {"outage_s": 0.02, "received": 800, "lost": 0, "error": None},
    "stream": {"sent": 790, "error": None},
    "sink": {"received": 790, "outage_s": 0.03, "error": None},
}


def test_measurements_from_elsewhere_become_the_same_report(tmp_path):
    path, output = tmp_path / "raw.json", tmp_path / "deep" / "report.json"
    never = {**MEASURED, "hub": "hub-2", "ping": {"outage_s": None, "received": 0, "lost": 0, "error": "no"}}
    path.write_text(json.dumps({"flow": {"from": "a"}, "hold_s": 5, "faults": [MEASURED, never]}))

    done = lab_command("drill-report", str(path), "--output", str(output))

    assert done.returncode == 0, done.stderr
    document = json.loads(output.read_text())
    assert document["drill"]["hubs"] == ["hub-1", "hub-2"]
    assert document["summary"]["drain"]["p50_s"] == 0.02
    assert document["summary"]["drain"]["p99_s"] is None
    assert "drain" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"faults": []}',
        '{"faults": [], "flow": {}, "hold_s": 1}',
        '{"faults": [{}], "flow": {}, "hold_s": 1}',
    ],
)
def test_what_are_no_measurements_is_refused(tmp_path, text):
    path = tmp_path / "raw.json"
    path.write_text(text)

    done = lab_command("drill-report", str(path))

    assert done.returncode == 1
    assert done.stderr.startswith("lab: ")


def lab_command(*arguments):
    program = [sys.executable, str(CHECKOUT / "lab" / "lab.py"), "--prefix", "wf-none", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_measurements_keep_what_each_flow_noticed():
    (one,) = from_measurements({"faults": [MEASURED]})

    assert one == Result(1, "drain", "hub-1", "hub-2", Outage(0.02, 800, 0), Outage(0.03, 790, 0))
