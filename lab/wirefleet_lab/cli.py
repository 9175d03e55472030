# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the lab; for people, or one JSON document with --json."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from select import select
from typing import Any

from . import drill, faults, lifecycle, reach
from .drill_stage import LabStage
from .machine import require_programs
from .topology import REGIONS, Lab, LabError

CHECKOUT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit code 0 done, 1 refused or unreachable or nobody reads the answer, 2 usage."""
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # such as: lab.py status | head -1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 1


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    try:
        lab = Lab(options.prefix, Path(options.state).resolve())
        reply, text, code = _COMMANDS[options.command](lab, options)
    except LabError as error:
        reply = {"error": {"message": str(error), "hint": error.hint}}
        text, code = f"lab: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), 1
        if not options.json:
            print(text, file=sys.stderr)
            return code
    print(json.dumps(reply) if options.json else text)
    return code


def _common(*, suppress: bool) -> argparse.ArgumentParser:
    """Options that stand before or after the command; the second parser must not overwrite what the first one read."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if suppress else value

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--prefix",
        default=default(os.environ.get("WIREFLEET_LAB_PREFIX", "wf")),
        help="namespaces and tunnels are PREFIX-<host> (default: wf, or WIREFLEET_LAB_PREFIX)",
    )
    common.add_argument(
        "--state",
        default=default(os.environ.get("WIREFLEET_LAB_STATE", str(CHECKOUT / ".lab"))),
        help="directory of the hosts' files (default: .lab in the checkout, or WIREFLEET_LAB_STATE)",
    )
    common.add_argument("--json", action="store_true", default=default(False), help="print one JSON document")
    return common


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab.py", description="The embedded lab of network namespaces.", parents=[_common(suppress=False)]
    )
    after = _common(suppress=True)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[after], help="build the lab; does nothing when it stands")
    up.add_argument("--check", action="store_true", help="change nothing, say whether it would")
    up.add_argument(
        "--latency",
        action="append",
        default=[],
        metavar="REGION=MS",
        help="one-way delay towards the hosts of a region (needs the kernel's netem)",
    )
    down = commands.add_parser("down", parents=[after], help="remove the lab, its agents and their files")
    down.add_argument("--check", action="store_true", help="change nothing, say whether it would")
    commands.add_parser("status", parents=[after], help="what stands and what runs")
    commands.add_parser("reach", parents=[after], help="ping every pair; exit 1 if one does not answer")
    fault = commands.add_parser("fault", parents=[after], help="break something, and repair it when the time is over")
    fault.add_argument("kind", choices=faults.KINDS)
    fault.add_argument("host")
    fault.add_argument("--seconds", type=float, default=10.0, help="how long it lasts (default: 10, at most 600)")
    fault.add_argument("--delay-ms", type=int, default=200, help="of a slow link, each way (default: 200)")
    fault.add_argument("--until-eof", action="store_true", help="repair it as soon as stdin ends, too")
    commands.add_parser("repair", parents=[after], help="undo every fault that was left behind")
    told = commands.add_parser(
        "drill-report", parents=[after], help="a drill's report from measurements made elsewhere"
    )
    told.add_argument("measurements", type=Path)
    told.add_argument("--output", type=Path, help="file for the report, as JSON")
    _add_drill(commands.add_parser("drill", parents=[after], help="measure what flows notice of each kind of fault"))
    return parser


def _add_drill(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rounds", type=int, default=1, help="each is every kind of fault at every hub")
    command.add_argument("--kinds", default=",".join(drill.KINDS), help="default: %(default)s")
    command.add_argument("--hubs", default="", help="default: all three")
    command.add_argument("--from", dest="source", default="spoke-1", help="where the flows begin (default: spoke-1)")
    command.add_argument("--to", dest="target", default="spoke-2", help="where they end (default: spoke-2)")
    command.add_argument("--hold", type=float, default=6.0, help="seconds that a fault lasts (default: 6)")
    command.add_argument("--delay-ms", type=int, default=200, help="of a slow link, each way (default: 200)")
    command.add_argument("--output", type=Path, help="file for the report, as JSON")


def _latency(texts: Sequence[str]) -> dict[str, int]:
    latency_ms = {}
    for text in texts:
        region, _, value = text.partition("=")
        if region not in REGIONS or not value.isdigit():
            raise LabError(f"{text!r} is no latency", f"write REGION=MS with one of {', '.join(REGIONS)}")
        latency_ms[region] = int(value)
    return latency_ms


_Reply = tuple[dict[str, Any], str, int]


def _up(lab: Lab, options: argparse.Namespace) -> _Reply:
    reply = lifecycle.up(lab, _latency(options.latency), check=options.check)
    if options.check:
        text = "The lab would be built." if reply["changed"] else "The lab is up."
    else:
        text = _status_text(reply)
    return reply, text, 0


def _down(lab: Lab, options: argparse.Namespace) -> _Reply:
    reply = lifecycle.down(lab, check=options.check)
    if not reply["changed"]:
        return reply, "There is no lab.", 0
    text = f"{len(reply['removed'])} namespaces and {len(reply['ended_processes'])} processes"
    return reply, f"The lab {'would be' if options.check else 'is'} removed: {text}.", 0


def _status(lab: Lab, options: argparse.Namespace) -> _Reply:
    reply = lifecycle.status(lab)
    return reply, _status_text(reply), 0


def _status_text(reply: dict[str, Any]) -> str:
    lines = [f"The lab {reply['prefix']} is {'up' if reply['is_up'] else 'not up'}."]
    for host in reply["hosts"]:
        agent = f"agent {host['agent_pid']}" if host["agent_pid"] else "no agent"
        tunnel = "tunnel" if host["tunnel_exists"] else "no tunnel"
        there = host["namespace"] if host["exists"] else "missing"
        lines.append(f"  {host['name']:8} {host['region']:3} {there:16} {host['endpoint4']:15} {tunnel:10} {agent}")
    for lan in reply["lans"]:
        there = lan["namespace"] if lan["exists"] else "missing"
        lines.append(f"  {lan['name']:8}     {there:16} behind {lan['behind']}: {', '.join(lan['prefixes'])}")
    return "\n".join(lines)


def _reach(lab: Lab, options: argparse.Namespace) -> _Reply:
    measurements = reach.measure(lab)
    reply = reach.report(lab, measurements)
    return reply, reach.table(lab, measurements), 0 if reply["is_complete"] else 1


def _fault(lab: Lab, options: argparse.Namespace) -> _Reply:
    """Says "begun" as its first line, once the fault is there. TERM and INT end it early, and it is repaired."""
    if not 0 < options.seconds <= faults.MAX_FAULT_S:
        raise LabError(f"a fault lasts at most {faults.MAX_FAULT_S:.0f} seconds")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with faults.held(lab, options.kind, options.host, delay_ms=options.delay_ms):
        begun = {"begun": options.kind, "host": options.host}
        print(json.dumps(begun) if options.json else f"{options.kind} at {options.host}", flush=True)
        if options.until_eof:
            select([sys.stdin], [], [], options.seconds)
        else:
            time.sleep(options.seconds)
    return {"repaired": options.kind, "host": options.host}, "repaired", 0


def _repair(lab: Lab, options: argparse.Namespace) -> _Reply:
    found = faults.repair(lab)
    return {"changed": bool(found), "repaired": found}, f"Repaired: {', '.join(found) or 'nothing was broken'}.", 0


def _drill(lab: Lab, options: argparse.Namespace) -> _Reply:
    require_programs(["ip", "nsenter", "ping"])
    hubs = _words(options.hubs) or [host.name for host in lab.hosts if host.name.startswith("hub-")]
    plan = drill.Drill(_words(options.kinds), hubs, options.rounds, hold_s=options.hold)
    flow_s = plan.lead_s + plan.hold_s + plan.settle_s + 60
    stage = LabStage(lab, options.source, options.target, delay_ms=options.delay_ms, flow_s=flow_s)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    flow = {"from": options.source, "to": options.target, "address": stage.address}
    done: list[drill.Result] = []

    def progress(result: drill.Result) -> None:
        """What there is is saved at once: a drill takes long, and may be ended."""
        print(drill.one_line(result), file=sys.stderr, flush=True)
        if not result.is_disturbed:
            done.append(result)
            _save(drill.report(plan, flow, done), options.output)

    return _save(drill.report(plan, flow, drill.run_drill(plan, stage, progress)), options.output)


def _drill_report(lab: Lab, options: argparse.Namespace) -> _Reply:
    try:
        document = json.loads(options.measurements.read_text(encoding="utf-8"))
        flow, hold_s = document["flow"], float(document["hold_s"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"cannot read {options.measurements} ({type(error).__name__}: {error})") from error
    results = drill.from_measurements(document)
    plan = drill.Drill(
        list(dict.fromkeys(one.kind for one in results)),
        list(dict.fromkeys(one.hub for one in results)),
        max((one.round for one in results), default=0),
        hold_s=hold_s,
    )
    return _save(drill.report(plan, flow, results), options.output)


def _save(reply: dict[str, Any], output: Path | None) -> _Reply:
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(reply, indent=2) + "\n", encoding="utf-8")
    return reply, drill.table(reply["summary"]), 0


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


_COMMANDS = {
    "up": _up,
    "down": _down,
    "status": _status,
    "reach": _reach,
    "fault": _fault,
    "repair": _repair,
    "drill": _drill,
    "drill-report": _drill_report,
}
