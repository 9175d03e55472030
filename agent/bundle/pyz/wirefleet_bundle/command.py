# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``python3 BUNDLE.pyz install|verify``: JSON or text on stdout, progress on stderr.

On Windows the bundle is an ordinary zip, unpacked before; ``install.pyz`` in it takes the directory that it lies in.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .contents import Bundle
from .errors import BundleError, UsageError
from .release import ReleaseHome, ReleaseInstaller

_EPILOG = """examples:
  python3 BUNDLE.pyz install                 a new release; the first one becomes current
  python3 BUNDLE.pyz install --check --json  only say what would change
  python3 BUNDLE.pyz verify                  compare the contents with the manifest
"""


_DEFAULT_ROOT = "C:\\Program Files\\WireFleet" if sys.platform == "win32" else "/"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint="--help tells the words")


def main(argv: Sequence[str] | None = None, bundle_path: Path | None = None) -> int:
    """Returns the exit code: 0 done, 2 wrong call, 3 damaged bundle, 5 not for this host, 1 anything else."""
    words = list(sys.argv[1:] if argv is None else argv)
    is_json = "--json" in words
    try:
        reply, text = _run(words, bundle_path or Path(sys.argv[0]))
    except BundleError as error:
        if is_json:
            print(json.dumps({"error": error.as_dict()}))
        else:
            print(f"wirefleet-bundle: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(reply) if is_json else text)
    return 0


def _run(words: list[str], bundle_path: Path) -> tuple[dict[str, object], str]:
    parser = _Parser(prog="BUNDLE.pyz", epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    install = verbs.add_parser("install", help="install the agent's release")
    install.add_argument("--root", type=Path, default=Path(_DEFAULT_ROOT), metavar="DIR")
    install.add_argument("--check", action="store_true", help="change nothing")
    verify = verbs.add_parser("verify", help="check the bundle's sums")
    for verb in (install, verify):
        verb.add_argument("--json", action="store_true")
    arguments = parser.parse_args(words)
    bundle = Bundle(bundle_path)
    try:
        if arguments.verb == "verify":
            bundle.verify()
            manifest = bundle.manifest
            return {"valid": True, "version": manifest.version, "digest": manifest.digest}, "the bundle is sound"
        root = arguments.root.absolute()
        installer = ReleaseInstaller(bundle, root, _releases(root), lambda line: print(line, file=sys.stderr))
        outcome = installer.install(check=arguments.check)
    finally:
        bundle.close()
    reply: dict[str, object] = {
        "changed": outcome.changed,
        "version": outcome.version,
        "digest": outcome.digest,
        "path": str(outcome.path),
        "activated": outcome.activated,
    }
    return reply, f"release {outcome.version}: {'installed' if outcome.changed else 'was installed before'}"


def _releases(root: Path) -> ReleaseHome:
    # Each imports what only its platform has.
    home: ReleaseHome
    if sys.platform == "win32":
        from .release_windows import WindowsReleases

        home = WindowsReleases(root)
    else:
        from .release_posix import PosixReleases

        home = PosixReleases(root)
    return home
