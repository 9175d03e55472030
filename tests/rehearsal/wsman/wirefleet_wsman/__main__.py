# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: `python -m wirefleet_wsman --state DIR --wine PREFIX ...` serves, `... report --state DIR` reports."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from wirefleet_wsman.certificate import make_certificate
from wirefleet_wsman.host_server import ServerSettings, WsmanServer
from wirefleet_wsman.report import format_report, make_report


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT, print a report, or make a certificate."""
    if arguments[:1] == ["report"]:
        return _report(arguments[1:])
    if arguments[:1] == ["certificate"]:
        return _certificate(arguments[1:])
    return _serve(arguments)


def _report(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wirefleet_wsman report", description=_report.__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the host's state directory")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    report = make_report(options.state)
    sys.stdout.write(json.dumps(report) + "\n" if options.json else format_report(report))
    return 0


def _certificate(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wirefleet_wsman certificate")
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("names", nargs="+", help="DNS names and IP addresses of the listener")
    options = parser.parse_args(arguments)
    make_certificate(options.cert, options.key, options.names)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wirefleet_wsman", description="A WS-Man server for one rehearsed Windows host. Also: report, certificate."
    )
    parser.add_argument("--state", type=Path, required=True, help="directory of what the host remembers")
    parser.add_argument("--wine", type=Path, required=True, metavar="PREFIX", help="the prefix, with wexec and wpy")
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS")
    parser.add_argument("--http", type=int, metavar="PORT", help="0 takes any free port")
    parser.add_argument("--https", type=int, metavar="PORT", help="0 takes any free port")
    parser.add_argument("--cert", type=Path, help="PEM, of the HTTPS listener")
    parser.add_argument("--key", type=Path, help="PEM, of the HTTPS listener")
    parser.add_argument("--users", type=Path, required=True, help="lines DOMAIN:USER:PASSWORD or USER:PASSWORD")
    parser.add_argument("--name", default=socket.gethostname(), help="the computer name")
    parser.add_argument(
        "--allow-unencrypted", action="store_true", help="plain messages over HTTP (Basic over HTTP needs it)"
    )
    parser.add_argument("--no-basic", action="store_true", help="NTLM only")
    parser.add_argument("--ready-fd", type=int, help="descriptor that gets the ready line instead of stdout")
    return parser


def _serve(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.http is None and options.https is None:
        parser.error("at least one of --http and --https is needed")
    if options.https is not None and (options.cert is None or options.key is None):
        parser.error("--https needs --cert and --key")
    # Windows programs would otherwise see the operator's code page.
    os.environ["LC_ALL"] = "C.UTF-8"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    try:
        server = WsmanServer(_settings(options))
    except (OSError, ValueError) as error:
        print(f"wirefleet_wsman: {error}", file=sys.stderr)
        return 1
    server.start()
    _say_ready({"ready": True, **server.ports}, options.ready_fd)
    stopping.wait()
    server.stop()
    return 0


def _settings(options: argparse.Namespace) -> ServerSettings:
    return ServerSettings(
        state=options.state.resolve(),
        prefix=options.wine.resolve(),
        address=options.listen,
        users=options.users,
        name=options.name,
        http_port=options.http,
        https_port=options.https,
        certificate=options.cert,
        key=options.key,
        allow_unencrypted=options.allow_unencrypted,
        allow_basic=not options.no_basic,
    )


def _say_ready(line: dict[str, object], descriptor: int | None) -> None:
    text = json.dumps(line) + "\n"
    if descriptor is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
