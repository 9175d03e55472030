# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agent lies on a host, and what a root directory and a tunnel may be called there. Pure."""

from __future__ import annotations

import ntpath
import posixpath
import re

from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import is_windows_tunnel_name
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

# Not ProgramData: every user may create a folder there, and be its owner before we come.
WINDOWS_ROOT = "C:\\Program Files\\WireFleet"
# The agent's command is a batch file there: cmd.exe reads its arguments once more, and expands these.
CMD_SPECIALS = '%&|<>^"!'
_WINDOWS_ROOT = re.compile(r"[A-Za-z]:\\[^\x00-\x1f/:*?]+")


def host_root(root: str, *, is_windows: bool) -> str:
    """The root directory as the agent gets it; ``/`` is the platform's own. Raises AgentError."""
    if not is_windows:
        return root
    if root in ("", "/"):
        return WINDOWS_ROOT
    path = root.replace("/", "\\").rstrip("\\")
    found = sorted(set(path) & set(CMD_SPECIALS))
    if found:
        raise _usage(f"cmd.exe would interpret {' '.join(found)} in {root}", "root", "take another directory")
    if _WINDOWS_ROOT.fullmatch(path) is None or ".." in path.split("\\"):
        raise _usage(f"{root} is not a directory of its own on a drive of the host", "root", f"such as {WINDOWS_ROOT}")
    return path


def check_tunnel(tunnel: str, *, is_windows: bool) -> None:
    """Refuse a name before anything is called with it. Raises AgentError."""
    if is_windows and not is_windows_tunnel_name(tunnel):
        hint = "1 to 32 letters and digits of any script, or _ = + . -; no device name such as CON or COM1"
        raise _usage(f"{tunnel} cannot be a tunnel on Windows", "tunnel", hint)


def agent_directory(root: str, *, is_windows: bool) -> str:
    """Directory of the agent's releases and of the pointer to the active one."""
    return root if is_windows else posixpath.join(root, "opt", "wirefleet")


def agent_command(root: str, *, is_windows: bool) -> str:
    """The installed agent's command; it leads to the active release."""
    if is_windows:
        return ntpath.join(root, "wirefleet-agent.cmd")
    return posixpath.join(agent_directory(root, is_windows=False), "current", "bin", "wirefleet-agent")


def release_argv(root: str, release: str, *, is_windows: bool) -> list[str]:
    """How one certain release is called, whichever is active."""
    if is_windows:
        return [release_program(root, release), "-I", "-m", "wirefleet_agent"]
    return [posixpath.join(agent_directory(root, is_windows=False), "releases", release, "bin", "wirefleet-agent")]


def release_program(root: str, release: str) -> str:
    """The program that a release runs as on Windows: what services, firewall rules and scanners know it by."""
    return ntpath.join(root, "releases", release, "python.exe")


def _usage(message: str, path: str, hint: str) -> AgentError:
    return AgentError(message, code="usage", path=path, hint=hint)
