#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Build ``wirefleet-agent-<version>-<platform>.pyz``: the agent, its packages and an installer in one file.

Runs on the controller. The packages come from the package index once and then from the cache; the agent's own wheel is
built from this checkout. The same inputs give the same bytes. Nothing is built if the bundle of these inputs exists.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "pyz"))
sys.path.insert(0, str(HERE))

from bundling.archive import existing_bundle, write_bundle  # noqa: E402
from bundling.sources import AgentSource  # noqa: E402
from bundling.wheelhouse import Wheelhouse  # noqa: E402
from wirefleet_bundle.errors import BundleError  # noqa: E402
from wirefleet_bundle.host import platform_tag, python_version  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; the reply is one JSON document with ``--json``."""
    arguments = _parser().parse_args(argv)
    try:
        reply = build(
            arguments.output, arguments.cache, arguments.platform, tuple(arguments.python_version or [python_version()])
        )
    except BundleError as error:
        if arguments.json:
            print(json.dumps({"error": error.as_dict()}))
        else:
            print(f"build_bundle: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(reply) if arguments.json else f"{'built' if reply['changed'] else 'unchanged'}: {reply['path']}")
    return 0


def build(output: Path, cache: Path, platform: str, pythons: tuple[str, ...]) -> dict[str, object]:
    """Build, unless ``output`` holds the bundle of the same inputs. Raises BundleError."""
    source = AgentSource(HERE.parent)
    wheelhouse = Wheelhouse(cache, platform, source.requirements, HERE / "constraints.txt")
    inputs = source.fingerprint(platform, pythons)
    path = output / f"wirefleet-agent-{source.version}-{platform}.pyz"
    manifest = existing_bundle(path, inputs)
    changed = manifest is None
    if manifest is None:
        print(f"building {path.name}", file=sys.stderr)
        wheels = {python: wheelhouse.wheels_for(python) for python in pythons}
        agent_wheel = source.build_wheel(cache, wheelhouse.build_backend())
        manifest = write_bundle(
            path, HERE / "pyz", source.version, platform, inputs, agent_wheel, wheels, wheelhouse.tool()
        )
    return {
        "changed": changed,
        "path": str(path),
        "version": manifest.version,
        "digest": manifest.digest,
        "platform": manifest.platform,
        "pythons": list(manifest.wheels),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build the agent's bundle.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the .pyz goes")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/wirefleet/bundle", metavar="DIR")
    parser.add_argument("--platform", default=platform_tag(), help=f"the hosts' platform (default {platform_tag()})")
    parser.add_argument(
        "--python-version",
        action="append",
        metavar="X.Y",
        help=f"the hosts' Python, may be repeated (default {python_version()})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
