# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where everything lies on a host, below one root directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

# A Linux interface name that is also safe as a file name and as a systemd instance.
_TUNNEL_NAME = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
# Its key file would be the host's own identity key.
_RESERVED_NAME = "identity"


def checked_tunnel_name(name: str) -> str:
    """``name`` if it can be an interface; raises UsageError."""
    if _TUNNEL_NAME.fullmatch(name) is None or name in (".", "..") or name.startswith("-"):
        raise UsageError(
            f"{name!r} is not a tunnel's name", path="--tunnel", hint="1 to 15 of the characters A-Z a-z 0-9 _ = + . -"
        )
    if name == _RESERVED_NAME:
        raise UsageError(f"{name!r} is reserved", path="--tunnel", hint="the host's identity key has this name")
    return name


@dataclass(frozen=True)
class Paths:
    """The layout. root: ``/`` on a real host, a directory per host in a rehearsal."""

    root: Path

    @property
    def config_dir(self) -> Path:
        return self.root / "etc/wirefleet"

    @property
    def state_dir(self) -> Path:
        return self.root / "var/lib/wirefleet"

    @property
    def key_dir(self) -> Path:
        return self.state_dir / "keys"

    @property
    def run_dir(self) -> Path:
        return self.root / "run/wirefleet"

    @property
    def log_dir(self) -> Path:
        return self.root / "var/log/wirefleet"

    @property
    def opt_dir(self) -> Path:
        return self.root / "opt/wirefleet"

    @property
    def release_dir(self) -> Path:
        return self.opt_dir / "releases"

    @property
    def identity_key(self) -> Path:
        return self.key_dir / "identity.key"

    def configured_tunnels(self) -> list[str]:
        """Names of the tunnels that have a configuration, sorted; other files are ignored."""
        names = (path.stem for path in self.config_dir.glob("*.conf") if path.is_file())
        return sorted(name for name in names if _TUNNEL_NAME.fullmatch(name) and name != _RESERVED_NAME)

    def tunnel(self, name: str) -> TunnelPaths:
        """The files of one tunnel; raises UsageError for a name that cannot be one."""
        return TunnelPaths(self, checked_tunnel_name(name))


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
    def pending_dir(self) -> Path:
        return self.host.state_dir / "pending" / self.name

    @property
    def socket(self) -> Path:
        return self.host.run_dir / f"{self.name}.sock"

    @property
    def pid(self) -> Path:
        return self.host.run_dir / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.host.log_dir / f"{self.name}.log"
