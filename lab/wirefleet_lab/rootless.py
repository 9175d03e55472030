# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab without root.

A holder process keeps a user namespace, in which its owner is root, and a mount namespace with an empty /run, where
`ip netns` and the UAPI sockets live. Its own network stays the machine's: only the lab's hosts get networks of their
own, so downloads still work. Later commands join the holder; `--stop` ends it and whatever still runs inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .machine import SEARCH_PATH, STOP_TIMEOUT_S, require_programs
from .topology import LabError

CHECKOUT = Path(__file__).resolve().parents[2]
TUN_DEVICE = Path("/dev/net/tun")
READY = "ready"
_USER_NAMESPACE_SWITCHES = {
    "kernel.unprivileged_userns_clone": "0",
    "user.max_user_namespaces": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
USAGE = """usage: lab/enter COMMAND [ARGUMENT...]   run a command where the lab is (as root: directly)
       lab/enter --stop                  end the kept user namespace and everything in it"""


def main(argv: Sequence[str]) -> int:
    """Replace this process by the command; returns only for --stop, usage, and what is missing."""
    try:
        if not argv or argv[0] in ("-h", "--help"):
            print(USAGE)
            return 0 if argv else 2
        if argv[0] == "--stop":
            print("The user namespace is gone." if stop() else "There is no kept user namespace.")
            return 0
        enter(argv)
    except LabError as error:
        print(f"lab/enter: {error}\nhint: {error.hint}")
        return 1


def enter(argv: Sequence[str]) -> NoReturn:
    """Run the command in this process: as root right here, else inside the holder's namespaces."""
    os.environ["PATH"] = SEARCH_PATH
    if os.geteuid() == 0:
        _execute(list(argv))
    require_tun()
    holder = _running_holder() or _start_holder()
    # Joining a mount namespace moves the working directory to its root.
    shell = f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(argv)}"
    _execute(["nsenter", f"--target={holder}", "--user", "--mount", "--preserve-credentials", "--", "sh", "-c", shell])


def _execute(argv: list[str]) -> NoReturn:
    try:
        os.execvp(argv[0], argv)  # noqa: S606 -- the operator's own command
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}", "check the name of the command") from error


def require_tun() -> None:
    """Raise LabError unless this user may open the TUN device."""
    if not TUN_DEVICE.exists():
        raise LabError(f"there is no {TUN_DEVICE}", "load the kernel module tun (as root: modprobe tun)")
    if not os.access(TUN_DEVICE, os.R_OK | os.W_OK):
        raise LabError(f"{TUN_DEVICE} is not open to this user", f"as root: chmod 0666 {TUN_DEVICE}; or run as root")


def _record() -> Path:
    state = os.environ.get("WIREFLEET_LAB_STATE")
    return (Path(state) if state else CHECKOUT / ".lab") / "holder.json"


def _start_time(pid: int) -> str | None:
    """The kernel's start stamp of a process, which tells it from a later one with the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _running_holder() -> int | None:
    try:
        record = json.loads(_record().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    pid = int(record["pid"])
    return pid if _start_time(pid) == record["start_time"] else None


def _start_holder() -> int:
    require_programs(["unshare", "nsenter", "ip", "mount"])
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", _holder_script()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout is not None
    assert holder.stderr is not None
    if holder.stdout.readline().strip() != READY:
        said = holder.stderr.read().strip()
        holder.wait()
        raise LabError(f"no user namespace for this user: {said}", _why_no_user_namespace())
    path = _record()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": holder.pid, "start_time": _start_time(holder.pid)}) + "\n", encoding="utf-8")
    return holder.pid


def _holder_script() -> str:
    """An empty /run, except for the name servers if /etc/resolv.conf points there."""
    lines = ["mount -t tmpfs -o mode=0755 tmpfs /run"]
    resolver = Path("/etc/resolv.conf").resolve()
    if resolver.is_relative_to("/run") and resolver.is_file():
        text = shlex.quote(resolver.read_text(encoding="utf-8"))
        target = shlex.quote(str(resolver))
        lines += [f"mkdir -p {shlex.quote(str(resolver.parent))}", f"printf %s {text} > {target}"]
    lines += ["mkdir -p /run/netns /run/wireguard", f"echo {READY}", "exec sleep infinity >/dev/null 2>&1"]
    return "\n".join(lines)


def _why_no_user_namespace() -> str:
    for name, blocked in _USER_NAMESPACE_SWITCHES.items():
        path = Path("/proc/sys") / name.replace(".", "/")
        with contextlib.suppress(OSError):
            if path.read_text(encoding="ascii").strip() == blocked:
                allowed = {"0": "1", "1": "0"}[blocked] if "max" not in name else "10000"
                return f"{name} is {blocked}; as root: sysctl -w {name}={allowed}; or run as root"
    return "user namespaces seem to be disabled on this machine; run as root"


def stop() -> bool:
    """End the holder and what runs in its user namespace. Returns whether there was one."""
    holder = _running_holder()
    if holder is not None:
        inside = _same_user_namespace(holder)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in inside:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while (inside := [pid for pid in inside if _start_time(pid)]) and time.monotonic() < deadline:
                time.sleep(0.05)
    _record().unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        _record().parent.rmdir()
    return holder is not None


def _same_user_namespace(holder: int) -> list[int]:
    wanted = Path(f"/proc/{holder}/ns/user").readlink()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns" / "user").readlink() == wanted:
                    found.append(int(entry.name))
    return found
