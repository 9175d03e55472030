# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The files below the root: configuration, key, releases, wintun.dll, and who may do what with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ...config import parse
from ...errors import ConfigError, RefusedError, WireFleetError
from ..own_release import WINTUN_DLL, pinned_wintun
from ..paths import TunnelPaths
from ._findings import CheckOnly, Finding, Severity


class ConfigurationIsValid(CheckOnly):
    """stored: the tunnel's ``conf`` (None: not configured) and ``toml``."""

    def __init__(self, tunnel: TunnelPaths, stored: Callable[[], tuple[str | None, str]]) -> None:
        self._tunnel = tunnel
        self._stored = stored

    def find(self) -> Sequence[Finding]:
        try:
            conf, toml = self._stored()
            if conf is None:
                return [
                    Finding(
                        "config_missing",
                        Severity.WARNING,
                        f"{self._tunnel.conf}: there is no configuration, so there is no tunnel",
                        "wirefleet-agent config apply, or agent_config of the collection",
                    )
                ]
            parse(conf, toml, name=self._tunnel.name)
        except (ConfigError, RefusedError) as error:
            where = f"{error.path}: " if error.path else ""
            return [Finding("config_invalid", Severity.ERROR, where + error.message, error.hint or "correct the file")]
        return []


class KeyExists(CheckOnly):
    def __init__(self, tunnel: TunnelPaths) -> None:
        self._tunnel = tunnel

    def find(self) -> Sequence[Finding]:
        if self._tunnel.private_key.exists():
            return []
        message = f"{self._tunnel.private_key}: the tunnel has no private key"
        hint = f"wirefleet-agent --tunnel {self._tunnel.name} key ensure"
        return [Finding("key_missing", Severity.ERROR, message, hint)]


class CurrentReleaseExists(CheckOnly):
    """pointed: the release that ``current`` names, whether it exists or not; None without a pointer."""

    def __init__(self, release_dir: Path, pointed: Callable[[], str | None]) -> None:
        self._release_dir = release_dir
        self._pointed = pointed

    def find(self) -> Sequence[Finding]:
        name = self._pointed()
        if name is None or (self._release_dir / name).is_dir():
            return []
        message = f"the current release is {name}, which is not installed"
        return [
            Finding(
                "release_missing", Severity.ERROR, message, "wirefleet-agent release activate, or install the bundle"
            )
        ]


class WintunIsPinned(CheckOnly):
    """release: the folder that the service runs from."""

    def __init__(self, release: Callable[[], Path | None]) -> None:
        self._release = release

    def find(self) -> Sequence[Finding]:
        release = self._release()
        if release is None:
            return []
        try:
            path, pin = pinned_wintun(release)
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except WireFleetError as error:
            return [Finding("wintun_not_pinned", Severity.ERROR, str(error), "install the bundle again")]
        except OSError as error:
            message = f"{release / WINTUN_DLL}: {error.strerror or error}"
            return [Finding("wintun_missing", Severity.ERROR, message, "install the bundle again")]
        if found == pin.lower():
            return []
        message = f"{path}: this is not the file that came with the release (SHA-256 {found})"
        hint = "find out who changed it, then install the bundle again"
        return [Finding("wintun_altered", Severity.ERROR, message, hint)]


class SecuresPaths(Protocol):
    def __call__(self, *, check: bool) -> Sequence[Path]:
        """Those that had other rights than they need. check: and still have."""


class RightsAreExact:
    """What ``wirefleet-agent secure`` puts right."""

    def __init__(self, secure: SecuresPaths) -> None:
        self._secure = secure

    def find(self) -> Sequence[Finding]:
        try:
            drifted = self._secure(check=True)
        except RefusedError as error:
            hint = error.hint or "find out who put it there, then remove it"
            return [Finding("file_foreign", Severity.ERROR, f"{error.path}: {error.message}", hint)]
        return [
            Finding(
                "rights_drifted",
                Severity.ERROR,
                f"{path}: others have rights that they must not have, or we lack some",
                "wirefleet-agent doctor --fix, or secure",
                is_fixable=True,
                subject=str(path),
            )
            for path in drifted
        ]

    def fix(self, finding: Finding) -> None:
        """All of them at once."""
        self._secure(check=False)
