# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: what to measure, where the results go, and what the exit status means."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from wirefleet_lab.topology import LabError

from . import joining, machine, plot, report
from .errors import BenchError, MachineTooBusy, UsageError
from .measures import MEASURES, Measure
from .options import Options
from .quiet import BUSY_LIMIT, MEASURE_SPREAD, WATCH_AT_START_S, Guard
from .results import MeasureResult, document
from .rounds import Remaining, Runner
from .stage import built_stage
from .tunnels import Implementation, implementations

RESULTS = machine.CHECKOUT / "bench" / "results"
IMAGE = machine.CHECKOUT / "docs" / "images" / "bench.png"
# Where a run goes that says only a part, or nothing for certain: ignored by git.
SCRATCH = machine.CHECKOUT / "build" / "bench"

_EPILOG = f"""
measures: {", ".join(each.name for each in MEASURES)}

Both ends of a tunnel are of one implementation and run on this machine, in network namespaces of their own. The
environment variable WIREGUARD_GO names a second binary to measure against, beside the wireguard-go on PATH.

It waits for a quiet machine, and refuses if others keep more than {BUSY_LIMIT:.0%} of it busy. Figures of a measure
during which the machine's own speed varied by more than {MEASURE_SPREAD:.0%} are not reported. docs/benchmarks.md says
more.

exit status: 0 measured, whether targets are met or not; 1 something could not be measured; 2 wrong call;
             3 the machine was too busy or too unsteady
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or show an earlier result."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if parsed.show is not None:
            return _show(parsed.show, parsed.plot)
        return _measure(parsed)
    except (BenchError, LabError) as error:
        print(f"bench: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return error.exit_code if isinstance(error, BenchError) else 1
    except KeyboardInterrupt:
        print("bench: interrupted; the namespaces are removed", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="bench.py",
        description="Measure the tunnel against wireguard-go: interleaved rounds, medians, ratios.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=_at_least_one, help=f"rounds per measure (default {defaults.rounds})")
    parser.add_argument(
        "--seconds", type=_at_least_one, help=f"of each transfer, whole seconds (default {defaults.seconds:.0f})"
    )
    parser.add_argument("--only", metavar="MEASURE[,MEASURE]", help="only these measures")
    parser.add_argument("--quick", action="store_true", help="one round of two seconds each: to see that it works")
    parser.add_argument("--json", type=Path, metavar="PATH", help="where the result goes (default: see docs)")
    parser.add_argument(
        "--plot", type=Path, metavar="PATH", help="where the picture goes (default: docs/images, or build/bench)"
    )
    parser.add_argument("--no-plot", action="store_true", help="draw no picture")
    parser.add_argument(
        "--force", action="store_true", help="measure though the machine is busy or unsteady; the report says so"
    )
    parser.add_argument(
        "--join", type=Path, metavar="JSON", help="with --only: complete an earlier result of the same commit"
    )
    parser.add_argument("--show", type=Path, metavar="JSON", help="measure nothing: print an earlier result")
    return parser


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def chosen(only: str | None) -> list[Measure]:
    """The measures by their names, in the usual order; None means all. Raises UsageError."""
    if only is None:
        return list(MEASURES)
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = {each.name for each in MEASURES}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"no such measure: {', '.join(unknown) or only!r}", f"one of {', '.join(sorted(known))}")
    return [each for each in MEASURES if each.name in names]


def options_of(parsed: argparse.Namespace) -> Options:
    """--quick first, then what was named."""
    options = Options(is_forced=parsed.force)
    if parsed.quick:
        options = options.quick()
    named: dict[str, Any] = {"rounds": parsed.rounds, "seconds": parsed.seconds}
    return replace(options, **{key: value for key, value in named.items() if value is not None})


def _show(path: Path, image: Path | None) -> int:
    earlier = joining.read(path)
    print(report.table(earlier))
    if image is not None:
        plot.draw(earlier, image)
    return 0


def _measure(parsed: argparse.Namespace) -> int:
    measures, options = chosen(parsed.only), options_of(parsed)
    earlier = None if parsed.join is None else joining.read(parsed.join)
    if earlier is not None:
        commit, is_modified = machine.commit()
        joining.require_commit(earlier, commit, is_modified=is_modified)
    programs = implementations()
    guard = Guard(is_forced=options.is_forced)
    guard.require_quiet(WATCH_AT_START_S)
    _tell(f"{', '.join(each.name for each in measures)}: {Remaining(measures, options, len(programs))}")
    made_at = datetime.now(UTC)
    with built_stage() as stage:
        results, refusal = Runner(stage, programs, options, guard, _tell).run(measures)
    if refusal is not None and not results:
        raise refusal
    is_partial = parsed.quick or parsed.only is not None or refusal is not None or any(e.failure for e in results)
    found = _document(results, programs, options, guard, made_at, is_partial=is_partial)
    if earlier is not None:
        found = joining.joined(found, earlier)
    print(report.table(found))
    _keep(found, parsed, made_at)
    return _status(found, results, refusal)


def _document(
    results: Sequence[MeasureResult],
    programs: Sequence[Implementation],
    options: Options,
    guard: Guard,
    made_at: datetime,
    *,
    is_partial: bool,
) -> dict[str, Any]:
    commit, is_modified = machine.commit()
    return document(
        results,
        programs,
        made_at=made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit,
        is_modified=is_modified,
        is_partial=is_partial,
        is_forced=options.is_forced,
        options=asdict(options),
        machine=machine.facts(),
        busy_shares=guard.busy_shares,
        ignored=guard.ignored,
    )


def _keep(found: dict[str, Any], parsed: argparse.Namespace, made_at: datetime) -> None:
    """Write JSON and picture: a whole run to its place in the repository, any other to build/bench."""
    is_reference = not (found["is_partial"] or found["is_forced"] or _refused(found))
    at = f"{made_at:%Y-%m-%d}" if is_reference else f"{made_at:%Y-%m-%dT%H%M%S}"
    name = f"{at}-{found['commit']}.json"
    path = parsed.json or (RESULTS if is_reference else SCRATCH) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _tell(f"result: {path}")
    if parsed.no_plot:
        return
    if not plot.is_possible():
        _tell("no picture: scripts/setup.sh bench installs matplotlib")
        return
    image = parsed.plot or (IMAGE if is_reference else SCRATCH / IMAGE.name)
    plot.draw(found, image)
    _tell(f"picture: {image}")


def _refused(found: dict[str, Any]) -> bool:
    return any(measure["is_noisy"] and measure["failure"] for measure in found["measures"].values())


def _status(found: dict[str, Any], results: Sequence[MeasureResult], refusal: MachineTooBusy | None) -> int:
    if refusal is not None:
        raise refusal
    if any(each.failure for each in results):
        return BenchError.exit_code
    if _refused(found):
        _tell("the machine was too unsteady for some measures; repeat them later (--only, --join), or --force")
        return MachineTooBusy.exit_code
    return 0


def _tell(line: str) -> None:
    print(f"bench: {time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
