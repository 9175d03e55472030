# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where everything lies on a host, below one root directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..config import names
from ..errors import UsageError

# Without the prefix Windows takes 259 characters; what we add below the root stays under 130.
_LONG_ROOT_CHARACTERS = 120
_EXTENDED_PREFIX = "\\\\?\\"


@dataclass(frozen=True)
class Layout:
    """One platform's folders, relative to the root. program_dir: holds ``releases`` and the two pointers."""

    default_root: str
    config_dir: str
    state_dir: str
    run_dir: str
    log_dir: str
    program_dir: str
    is_tunnel_name: Callable[[str], bool]
    name_hint: str


def _is_linux_tunnel_name(name: str) -> bool:
    """A leading hyphen would be an option of the command line, and of ``ip``."""
    return names.is_linux_name(name) and not name.startswith("-") and name != names.RESERVED_NAME


def _is_windows_tunnel_name(name: str) -> bool:
    return names.is_windows_name(name) and not name.startswith("-")


LINUX_LAYOUT = Layout(
    default_root="/",
    config_dir="etc/wirefleet",
    state_dir="var/lib/wirefleet",
    run_dir="run/wirefleet",
    log_dir="var/log/wirefleet",
    program_dir="opt/wirefleet",
    is_tunnel_name=_is_linux_tunnel_name,
    name_hint=names.LINUX_NAME_HINT,
)
# Not ProgramData: there every user may create a folder, and be its owner before we come.
WINDOWS_LAYOUT = Layout(
    default_root="C:\\Program Files\\WireFleet",
    config_dir="config",
    state_dir="state",
    run_dir="run",
    log_dir="logs",
    program_dir=".",
    is_tunnel_name=_is_windows_tunnel_name,
    name_hint=names.WINDOWS_NAME_HINT,
)
OWN_LAYOUT = WINDOWS_LAYOUT if sys.platform == "win32" else LINUX_LAYOUT


def checked_tunnel_name(name: str, layout: Layout = OWN_LAYOUT) -> str:
    """``name`` if it can be a tunnel on the layout's platform; raises UsageError."""
    if not layout.is_tunnel_name(name):
        if name.casefold() == names.RESERVED_NAME:
            raise UsageError(f"{name!r} is reserved", path="--tunnel", hint="the host's identity key has this name")
        raise UsageError(f"{name!r} is not a tunnel's name", path="--tunnel", hint=layout.name_hint)
    return name


def host_root(wanted: str | None, layout: Layout = OWN_LAYOUT) -> Path:
    """The root directory: ``wanted``, absolute; or the platform's own.

    A long one gets Windows' prefix for long paths, which all paths below it then have.
    """
    root = Path.cwd() / (wanted or layout.default_root)
    return Path(_windows_root(os.path.normpath(root))) if sys.platform == "win32" else root


def _windows_root(text: str) -> str:
    is_long = len(text) > _LONG_ROOT_CHARACTERS and not text.startswith("\\\\")
    return _EXTENDED_PREFIX + text if is_long else text


@dataclass(frozen=True)
class Paths:
    """The layout's folders on one host. root: ``layout.default_root``, or a directory per host in a rehearsal."""

    root: Path
    layout: Layout = OWN_LAYOUT

    @property
    def config_dir(self) -> Path:
        return self.root / self.layout.config_dir

    @property
    def state_dir(self) -> Path:
        return self.root / self.layout.state_dir

    @property
    def key_dir(self) -> Path:
        return self.state_dir / "keys"

    @property
    def pending_dir(self) -> Path:
        return self.state_dir / "pending"

    @property
    def cluster_dir(self) -> Path:
        return self.state_dir / "cluster"

    @property
    def run_dir(self) -> Path:
        return self.root / self.layout.run_dir

    @property
    def log_dir(self) -> Path:
        return self.root / self.layout.log_dir

    @property
    def opt_dir(self) -> Path:
        return self.root / self.layout.program_dir

    @property
    def release_dir(self) -> Path:
        return self.opt_dir / "releases"

    @property
    def identity_key(self) -> Path:
        return self.key_dir / "identity.key"

    def configured_tunnels(self) -> list[str]:
        """Names of the tunnels that have a configuration, sorted; other files are ignored."""
        found = (path.stem for path in self.config_dir.glob("*.conf") if path.is_file())
        return sorted(name for name in found if self.layout.is_tunnel_name(name))

    def tunnel(self, name: str) -> TunnelPaths:
        """The files of one tunnel; raises UsageError for a name that cannot be one."""
        return TunnelPaths(self, checked_tunnel_name(name, self.layout))


@dataclass(frozen=True)
class TunnelPaths:
    """The files of one tunnel."""

    host: Paths
    name: str

    @property
    def conf(self) -> Path:
        return self.host.config_dir / f"{self.name}.conf"

    @property
    def toml(self) -> Path:
        return self.host.config_dir / f"{self.name}.toml"

    @property
    def private_key(self) -> Path:
        return self.host.key_dir / f"{self.name}.key"

    @property
    def cluster_key(self) -> Path:
        return self.host.key_dir / f"{self.name}.cluster"

    @property
    def cluster_dir(self) -> Path:
        return self.host.cluster_dir / self.name

    @property
    def pending_dir(self) -> Path:
        return self.host.pending_dir / self.name

    @property
    def socket(self) -> Path:
        return self.host.run_dir / f"{self.name}.sock"

    @property
    def pid(self) -> Path:
        return self.host.run_dir / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.host.log_dir / f"{self.name}.log"
