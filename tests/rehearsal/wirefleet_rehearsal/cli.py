# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the rehearsal: up, down, status, power, and run a command where the controller is."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wirefleet_lab.machine import in_namespace
from wirefleet_lab.topology import LabError

from . import lifecycle
from .cache import CHECKOUT, RehearsalError
from .topology import ALL_HOSTS, CONTROLLER, WINDOWS_HOSTS, Rehearsal


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit code 0 done, 1 refused, 2 usage; that of the command for run."""
    options = _parser().parse_args(argv)
    rehearsal = Rehearsal(options.prefix, Path(options.state).resolve())
    try:
        return _run(rehearsal, options)
    except (RehearsalError, LabError) as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1


def _run(rehearsal: Rehearsal, options: argparse.Namespace) -> int:
    if options.command == "up":
        started = time.monotonic()
        lifecycle.up(rehearsal, lambda line: print(f"  {line}", flush=True))
        print(f"The rehearsal {rehearsal.prefix} is up ({time.monotonic() - started:.0f} s).")
    elif options.command == "down":
        reply = lifecycle.down(rehearsal)
        print(
            f"The rehearsal is removed: {len(reply['removed'])} namespaces." if reply["changed"] else "Nothing is up."
        )
    elif options.command == "power":
        (lifecycle.power_on if options.state_wanted == "on" else lifecycle.power_cut)(rehearsal, options.host)
    elif options.command == "run":
        namespace = rehearsal.namespace(options.at)
        os.execvpe("nsenter", in_namespace(namespace, options.words), environment(rehearsal))
    else:
        print(json.dumps(lifecycle.status(rehearsal), indent=1))
    return 0


def environment(rehearsal: Rehearsal) -> dict[str, str]:
    """The environment of ansible commands: inventories/rehearsal finds prefix and state in it."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin"]),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "WIREFLEET_REHEARSAL_PREFIX": rehearsal.prefix,
        "WIREFLEET_REHEARSAL_STATE": str(rehearsal.state),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rehearsal.py", description="Windows hosts under Wine, in namespaces.")
    parser.add_argument("--prefix", default=os.environ.get("WIREFLEET_REHEARSAL_PREFIX", "wf-r"))
    parser.add_argument("--state", default=os.environ.get("WIREFLEET_REHEARSAL_STATE", str(CHECKOUT / ".rehearsal")))
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build and boot what is not there")
    commands.add_parser("down", help="leave no process, no namespace and no file; the cache is kept")
    commands.add_parser("status", help="one JSON document of what stands and runs")
    power = commands.add_parser("power", help="power of one Windows host; off is a power cut")
    power.add_argument("state_wanted", choices=["on", "off"])
    power.add_argument("host", choices=WINDOWS_HOSTS)
    run = commands.add_parser("run", help="run a command in the network of the controller or of a host")
    run.add_argument("--at", default=CONTROLLER, choices=[CONTROLLER, *ALL_HOSTS])
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser
