# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``wirefleet-agent``: words in, one answer out. The contract is in tests/contract/agent_cli of the repository.

Exit codes: 0 done, 2 wrong call, 3 invalid configuration, 4 not reachable or not in time, 5 refused, 1 anything else.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import BinaryIO, NoReturn, TextIO

from .. import __version__
from ..errors import InternalError, UsageError, WireFleetError
from .call import Answer, Call, VerbTable
from .control_protocol import Json
from .paths import OWN_LAYOUT, Paths, host_root

# Modules of .verbs, in the order of the help text.
_VERBS = (
    "key",
    "config",
    "status",
    "daemon",
    "cluster",
    "release",
    "secure",
    "doctor",
    "service",
    "uninstall",
    "graph",
)
# Words of the verbs that take a request, and options that stand in for it.
_WITH_REQUEST, _WITHOUT_REQUEST = frozenset({"apply", "check", "confirm", "health"}), frozenset({"--conf", "--id"})
_CHUNK_BYTES = 64 * 1024
_DESCRIPTION = "The tunnel service of a WireFleet host: a WireGuard implementation and its configuration."
_EPILOG = """exit codes:
  0 done, 2 wrong call, 3 invalid configuration, 4 not reachable or not in time, 5 refused, 1 anything else

examples:
  wirefleet-agent --tunnel wf0 key ensure
  wirefleet-agent --tunnel wf0 config apply --conf wf0.conf --toml wf0.toml
  wirefleet-agent --tunnel wf0 daemon start --wait
  wirefleet-agent status

`wirefleet-agent VERB --help` tells more. With --json: one JSON document on stdout, and requests on stdin.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code; a traceback is shown for our own mistakes only, if WIREFLEET_DEBUG is set."""
    _use_utf8()
    words = list(sys.argv[1:] if argv is None else argv)
    is_json = "--json" in words
    try:
        try:
            return _run(words, _stdin(), sys.stdout)
        except WireFleetError as error:
            _take_request(words, _stdin())
            return _report(error, is_json=is_json)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001  # main: whatever is left becomes one line and an exit code
            _take_request(words, _stdin())
            return _report_mistake(error, is_json=is_json)
    except BrokenPipeError:
        # Whoever read our output has gone: there is nobody left to tell.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _use_utf8() -> None:
    """Windows' code pages, mostly 437 and 1252, have no letters for a name like 上海-01: printing it would fail."""
    if sys.platform == "win32":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _stdin() -> BinaryIO:
    """Empty where the caller closed it."""
    found: TextIO | None = sys.stdin
    return io.BytesIO() if found is None else found.buffer


def _take_request(words: Sequence[str], stdin: BinaryIO) -> None:
    """Read what a call that failed has left of its request. Who hands it over may wait until we have it, before they
    look at what we say: Ansible's win_command does, without limit."""
    is_expected = "--json" in words and _WITH_REQUEST.intersection(words) and not _WITHOUT_REQUEST.intersection(words)
    if is_expected and not stdin.isatty():
        with contextlib.suppress(OSError):
            while stdin.read(_CHUNK_BYTES):
                pass


def _run(words: list[str], stdin: BinaryIO, stdout: TextIO) -> int:
    arguments = _parser().parse_args(words)
    root = host_root(arguments.root or os.environ.get("WIREFLEET_ROOT"))
    call = Call(Paths(root), arguments.tunnel, bool(arguments.check), stdin, arguments)
    answer: Answer = arguments.verb(call)
    if arguments.json:
        document = answer.reply if answer.error is None else {**_error_document(answer.error), **answer.reply}
        _print(json.dumps(document), stdout)
    else:
        if answer.text:
            _print(answer.text, stdout)
        if answer.error is not None:
            print(f"wirefleet-agent: {answer.error}", file=sys.stderr)
    return 0 if answer.error is None else answer.error.exit_code


def _print(text: str, stream: TextIO) -> None:
    """Raises BrokenPipeError where nobody reads any more; Windows calls that an invalid argument."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        if sys.platform == "win32" and error.errno == errno.EINVAL:
            raise BrokenPipeError from error
        raise


def _report(error: WireFleetError, *, is_json: bool) -> int:
    if is_json:
        _print(json.dumps(_error_document(error)), sys.stdout)
    else:
        print(f"wirefleet-agent: {error}", file=sys.stderr)
    if isinstance(error, InternalError) and os.environ.get("WIREFLEET_DEBUG"):
        traceback.print_exception(error)
    return error.exit_code


def _report_mistake(error: Exception, *, is_json: bool) -> int:
    """An exception that nobody expected. Its message may hold anything, so only its kind is shown."""
    if os.environ.get("WIREFLEET_DEBUG"):
        traceback.print_exception(error)
    mistake = InternalError(
        f"a mistake of ours: {type(error).__name__}", hint="set WIREFLEET_DEBUG=1 for the traceback, and report it"
    )
    return _report(mistake, is_json=is_json)


def _error_document(error: WireFleetError) -> Json:
    fields: Json = dict(error.as_dict())
    each = getattr(error, "errors", ())  # config.ConfigErrors, without importing the parser for every verb
    if each:
        fields["errors"] = [one.as_dict() for one in each]
    return {"error": fields}


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="wirefleet-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wirefleet-agent {__version__}")
    _add_common(parser, is_top=True)
    common: argparse.ArgumentParser = _Parser(add_help=False)
    _add_common(common, is_top=False)
    verbs = VerbTable(parser.add_subparsers(dest="verb_name", metavar="VERB", required=True), common)
    for name in _VERBS:
        importlib.import_module(f".verbs.{name}", __package__).register(verbs)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, is_top: bool) -> None:
    """The same options before and after the verb; after it they have no default, or they would undo those before it."""

    def default(value: object) -> object:
        return value if is_top else argparse.SUPPRESS

    parser.add_argument(
        "--root",
        metavar="DIR",
        default=default(None),
        help=f"where our files lie (or $WIREFLEET_ROOT; default: {OWN_LAYOUT.default_root})",
    )
    parser.add_argument("--tunnel", metavar="NAME", default=default(None), help="default: the only one configured")
    parser.add_argument("--json", action="store_true", default=default(False), help="one JSON document on stdout")
    parser.add_argument("--check", action="store_true", default=default(False), help="change nothing, tell what would")
