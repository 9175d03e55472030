# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``wirefleet-tun [-f|--foreground] INTERFACE``: a drop-in for ``wireguard-go INTERFACE``.

Makes the interface and its UAPI socket, then goes to the background; the parent ends with status 0 once both exist.
Everything else is wg(8)'s business. It ends when the interface or the socket is removed, or on SIGTERM and SIGINT.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

assert sys.platform != "win32"  # nothing below means anything there

from ..control import Applier
from ..core import Device, stamp_of
from ..drivers.forwarding_linux import Redirects
from ..drivers.monitor_linux import LinuxUnderlayMonitor
from ..drivers.tun_linux import LinuxTun
from ..drivers.udp_linux import LinuxUdp
from ..engine import Loop, Supervisor, Tunnel
from ..engine.uapi_server import UapiServer
from ..errors import InternalError, UsageError, WireFleetError
from ..observe import Logs
from .offload_switch import uses_offloads

USAGE = "Usage: wirefleet-tun [-f|--foreground] INTERFACE-NAME\n       wirefleet-tun --version"
_HELP = """Makes a WireGuard interface and /var/run/wireguard/INTERFACE-NAME.sock, then goes to the background (-f:
stays in the foreground). Configure it with wg(8). It ends when the interface or the socket is removed.
LOG_LEVEL in the environment is verbose, error (the default) or silent; WIREFLEET_OFFLOADS=off moves packets one by one.

example:
  WG_QUICK_USERSPACE_IMPLEMENTATION=wirefleet-tun wg-quick up ./wg7.conf"""

_DEFAULT_LOG_LEVEL = "error"
_READY = b"ready"


def main(arguments: list[str] | None = None) -> int:
    """The console script. Errors go to stderr, with status 1 (2 for a wrong call)."""
    _fill_standard_descriptors()
    try:
        return _main(sys.argv[1:] if arguments is None else arguments)
    except WireFleetError as error:
        print(f"wirefleet-tun: {error}", file=sys.stderr)
        return error.exit_code


def _fill_standard_descriptors() -> None:
    """Where the caller closed some: what we open must not get their numbers, which are replaced later."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _main(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"wirefleet-tun {version('wirefleet-agent')}")
        return 0
    if arguments in (["--help"], ["-h"]):
        print(f"{USAGE}\n\n{_HELP}")
        return 0
    is_foreground = bool(arguments) and arguments[0] in ("-f", "--foreground")
    names = arguments[1:] if is_foreground else arguments
    if len(names) != 1 or names[0].startswith("-"):
        raise UsageError("name one interface", hint=USAGE)
    if is_foreground or os.environ.get("WG_PROCESS_FOREGROUND") == "1":
        _configure_logging()
        return TunProcess(names[0]).run()
    return _run_in_background(names[0])


def _run_in_background(name: str) -> int:
    """Fork; the child reports through a pipe, so that errors come out here and 0 means "configure it"."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(name, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        report = pipe.read()
    if report == _READY:
        return 0
    os.waitpid(pid, 0)
    print(f"wirefleet-tun: {report.decode() or 'the background process died'}", file=sys.stderr)
    return 1


def _child(name: str, writer: int) -> NoReturn:
    """The daemon. Never returns into the parent's code."""
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        _configure_logging()
        process = TunProcess(name)
        _detach_output()
        os.write(writer, _READY)
        os.close(writer)
        writer = -1
        status = process.run()
    except WireFleetError as error:
        if writer >= 0:
            os.write(writer, str(error).encode())
        else:
            print(f"wirefleet-tun: {error}", file=sys.stderr)
    except Exception:  # noqa: BLE001  # this is the daemon's main: nobody above would print it
        traceback.print_exc()
    finally:
        os._exit(status)


def _detach_output() -> None:
    """As wireguard-go: the terminal is kept for the log if LOG_LEVEL asks for one."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    if os.environ.get("LOG_LEVEL", "silent") == "silent":
        os.dup2(null, 1)
        os.dup2(null, 2)
    os.close(null)


def _configure_logging() -> None:
    """JSON lines on stderr; LOG_LEVEL is verbose or debug, error (the default), or silent."""
    level = os.environ.get("LOG_LEVEL", _DEFAULT_LOG_LEVEL)
    try:
        Logs().configure(level=level)
    except ValueError:
        Logs().configure(level=_DEFAULT_LOG_LEVEL)  # as wireguard-go, which does not refuse to start over it


def _tai64n_now() -> bytes:
    return stamp_of(*divmod(time.time_ns(), 1_000_000_000))


class TunProcess:
    """One interface, made by the constructor; ``run`` serves it to its end. Raises DriverError."""

    def __init__(self, name: str, *, uapi_directory: Path | None = None) -> None:
        self._loop = Loop(time.monotonic)
        self._supervisor = Supervisor(self._loop)
        use_offloads = uses_offloads(os.environ)
        tun = LinuxTun(name, use_offloads=use_offloads)
        self._redirects = Redirects(tun.name)
        try:
            self._tunnel = Tunnel(
                self._loop,
                Device(entropy=os.urandom, tai64n_now=_tai64n_now),
                tun,
                LinuxUdp(use_offloads=use_offloads),
                monitor=LinuxUnderlayMonitor(tun.name),
            )
            directories = {} if uapi_directory is None else {"directory": uapi_directory}
            applier = Applier(self._tunnel.device, self._tunnel)
            self._uapi = UapiServer(self._loop, self._tunnel, applier, on_removed=self._loop.stop, **directories)
            self._uapi.start()
        except WireFleetError:
            tun.close()
            raise
        self._tunnel.on_removed = self._loop.stop
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, self._loop.stop)

    def run(self) -> int:
        """Serve until the interface or the socket goes, or a signal comes; the exit status."""
        try:
            self._redirects.switch_off()  # as the kernel's own WireGuard: whether the host forwards is not our business
            self._tunnel.start()
            self._loop.run()
        finally:
            self._redirects.restore()
            self._uapi.stop()
            self._tunnel.stop()
            self._loop.close()
        if self._supervisor.fatal is not None:
            raise InternalError("too many failures, see the log") from self._supervisor.fatal
        return 0


if __name__ == "__main__":
    sys.exit(main())
