#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Build the agent's bundle for one platform: the agent, its packages and an installer in one file.

Linux: ``wirefleet-agent-<version>-linux_x86_64.pyz``, run by the host's Python. Windows:
``wirefleet-agent-<version>-win_amd64.zip`` with the Python runtime that the operator gives. Runs on the controller. The
packages come from the package index once and then from the cache; the agent's own wheel is built from this checkout.
The same inputs give the same bytes. Nothing is built if the bundle of these inputs exists.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "pyz"))
sys.path.insert(0, str(HERE))

from bundling.archive import existing_bundle  # noqa: E402
from bundling.built_wheels import built_wheels, published  # noqa: E402
from bundling.linux_bundle import LinuxParts, write_linux_bundle  # noqa: E402
from bundling.sources import AgentSource  # noqa: E402
from bundling.wheelhouse import Wheelhouse  # noqa: E402
from bundling.windows_bundle import WindowsParts, write_windows_bundle  # noqa: E402
from bundling.windows_runtime import HINT, checked_source, fetch_runtime, read_runtime  # noqa: E402
from bundling.windows_wheelhouse import WINTUN_SOURCE, WindowsWheelhouse, normalized  # noqa: E402
from bundling.wintun import take_wintun  # noqa: E402
from wirefleet_bundle.errors import BundleError, UsageError  # noqa: E402
from wirefleet_bundle.host import platform_tag, python_version  # noqa: E402
from wirefleet_bundle.manifest import Manifest  # noqa: E402

INSTALLER = HERE / "pyz"
_LOCK = HERE / "windows-requirements.txt"
_WINDOWS = "win_"
_WITHOUT_PACKAGES = {"win_arm64": "cryptography, in the versions that the agent needs, is not published for it"}


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; the reply is one JSON document with ``--json``."""
    arguments = _parser().parse_args(argv)
    try:
        reply = _build(arguments)
    except BundleError as error:
        if arguments.json:
            print(json.dumps({"error": error.as_dict()}))
        else:
            print(f"build_bundle: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(reply) if arguments.json else f"{'built' if reply['changed'] else 'unchanged'}: {reply['path']}")
    return 0


def _build(arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.platform.startswith(_WINDOWS):
        if arguments.python_version:
            raise UsageError("Windows takes the version of its runtime", path="--python-version")
        if arguments.extra:
            raise UsageError("no extra is of use on Windows", path="--extra")
        return build_windows(
            arguments.output,
            arguments.cache,
            arguments.platform,
            arguments.windows_python,
            arguments.windows_python_sha256,
            check=arguments.check,
        )
    pythons = tuple(arguments.python_version or [python_version()])
    extras = tuple(sorted(set(arguments.extra or ())))
    return build(arguments.output, arguments.cache, arguments.platform, pythons, extras, check=arguments.check)


def build(
    output: Path,
    cache: Path,
    platform: str,
    pythons: tuple[str, ...],
    extras: tuple[str, ...] = (),
    *,
    check: bool = False,
) -> dict[str, object]:
    """Build for Linux, unless ``output`` holds the bundle of the same inputs. Raises BundleError.

    extras: of the agent's optional dependencies.
    """
    source = AgentSource(HERE.parent)
    wheelhouse = Wheelhouse(cache, platform, published(source.requirements_of(extras)), HERE / "constraints.txt")
    inputs = source.fingerprint(platform, (*pythons, *(f"extra {extra}" for extra in extras)))
    path = output / f"wirefleet-agent-{source.version}-{platform}.pyz"

    def write() -> Manifest:
        backend = wheelhouse.build_backend()
        built = built_wheels(cache, backend)
        wheels = {python: (*wheelhouse.wheels_for(python), *built) for python in pythons}
        agent_wheel = source.build_wheel(cache, backend)
        parts = LinuxParts(source.version, platform, inputs, agent_wheel, wheels, wheelhouse.tool())
        return write_linux_bundle(path, INSTALLER, parts)

    return _provided(path, inputs, write, check=check)


def build_windows(
    output: Path, cache: Path, platform: str, runtime_source: str | None, sha256: str | None, *, check: bool = False
) -> dict[str, object]:
    """Build for Windows, unless ``output`` holds the bundle of the same inputs. Raises BundleError.

    runtime_source: path or https URL of the Python runtime; sha256: its sum, which tells whether anything has to be
    built: nothing is downloaded for a bundle that is there, nor with ``check``.
    """
    if platform in _WITHOUT_PACKAGES:
        raise UsageError(f"there is no bundle for {platform}: {_WITHOUT_PACKAGES[platform]}", hint="win_amd64")
    if platform != "win_amd64":
        raise UsageError(f"{platform} is not a platform that bundles are built for", hint="win_amd64")
    source = AgentSource(HERE.parent)
    wheelhouse = WindowsWheelhouse(cache, platform, published(source.requirements), _LOCK)
    place, runtime_sum = checked_source(runtime_source, sha256)
    inputs = source.fingerprint(platform, (f"runtime {runtime_sum}",))
    path = output / f"wirefleet-agent-{source.version}-{platform}.zip"

    def write() -> Manifest:
        runtime = read_runtime(fetch_runtime(place, runtime_sum, cache), platform)
        wheels = wheelhouse.wheels_for(runtime.python)
        backend = wheelhouse.build_backend(wheels)
        wheels |= {normalized(wheel.name.split("-")[0]): wheel for wheel in built_wheels(cache, backend)}
        agent_wheel = source.build_wheel(cache, backend)
        wintun = take_wintun(wheels[WINTUN_SOURCE], platform)
        parts = WindowsParts(source.version, platform, inputs, agent_wheel, wheels, runtime, wintun)
        return write_windows_bundle(path, INSTALLER, parts)

    return _provided(path, inputs, write, check=check)


def _provided(path: Path, inputs: str, write: Callable[[], Manifest], *, check: bool) -> dict[str, object]:
    """check: say whether the bundle would be built, and where it would be."""
    manifest = existing_bundle(path, inputs)
    changed = manifest is None
    reply: dict[str, object] = {"changed": changed, "path": str(path)}
    if manifest is None:
        if check:
            return reply
        print(f"building {path.name}", file=sys.stderr)
        manifest = write()
    return reply | {
        "version": manifest.version,
        "digest": manifest.digest,
        "platform": manifest.platform,
        "pythons": list(manifest.wheels),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build the agent's bundle.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the bundle goes")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/wirefleet/bundle", metavar="DIR")
    parser.add_argument("--platform", default=platform_tag(), help=f"the hosts' platform (default {platform_tag()})")
    parser.add_argument(
        "--python-version",
        action="append",
        metavar="X.Y",
        help=f"the Linux hosts' Python, may be repeated (default {python_version()})",
    )
    parser.add_argument(
        "--extra",
        action="append",
        metavar="NAME",
        help="an extra of the agent for Linux hosts, may be repeated: fast (numpy, for checksums)",
    )
    parser.add_argument("--windows-python", metavar="PATH_OR_URL", help="the Windows hosts' Python: " + HINT)
    parser.add_argument("--windows-python-sha256", metavar="HEX", help="the sum of that file")
    parser.add_argument("--check", action="store_true", help="build nothing, only say whether it is needed")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
