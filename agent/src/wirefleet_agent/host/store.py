# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A tunnel's two configuration files as one transaction, confirmed or taken back.

Theory. The files in the configuration's folder are what runs. A change goes: *stage* (both new files durable beside the
old ones), *commit* (the journal says "writing" and holds a copy of the old files; two renames; then the journal says
"pending" with a deadline, or disappears if no confirmation is wanted). Whoever starts next looks at the journal first:

========== ======================== =========================================
journal    meaning                  at the next start
========== ======================== =========================================
none       confirmed                nothing to do
writing    died between two files   the copy is put back
pending    not confirmed yet        the copy is put back if the deadline passed
========== ======================== =========================================

The copy is always the last *confirmed* configuration: a second change before the confirmation does not replace it.

A .conf may hold keys, so it is sealed where the platform can, for every administrator of the host: they check and
compare configurations without asking the service. One that was put there by hand is taken as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, DriverError, RefusedError, WireFleetError
from .deadline import BootClock, Deadline
from .paths import TunnelPaths
from .private_files import (
    commit_staged,
    discard_staged,
    make_private_dir,
    read_private,
    remove_file,
    stage_private,
    write_private,
)
from .sealing import Audience, Sealing, own_sealing

_SCHEMA = 1


@dataclass(frozen=True)
class ConfigFiles:
    """The two texts. conf None: the tunnel is not configured. repr shows no content: there may be secrets in it."""

    conf: str | None = None
    toml: str = ""

    @property
    def digest(self) -> str | None:
        """SHA-256 over both texts, secrets included; None if the tunnel is not configured."""
        if self.conf is None:
            return None
        digest = hashlib.sha256(b"wirefleet config v1\0")
        for text in (self.conf, self.toml):
            raw = text.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"ConfigFiles({self.digest})"


@dataclass(frozen=True)
class Pending:
    """An unconfirmed configuration. confirm_id: what the controller must show; remaining_s: 0.0 if it is too late."""

    confirm_id: str
    remaining_s: float


@dataclass(frozen=True)
class _Journal:
    state: str
    confirm_id: str
    deadline: Deadline | None
    had_conf: bool


class ConfigStore:
    """The files and the journal of one tunnel. Callers hold the tunnel's lock: one process at a time."""

    def __init__(self, paths: TunnelPaths, clock: BootClock, sealing: Sealing | None = None) -> None:
        self._paths = paths
        self._clock = clock
        self._sealing = own_sealing() if sealing is None else sealing

    def current(self) -> ConfigFiles:
        """What runs, or shall run. Raises RefusedError for files that others may read, ConfigError for other text."""
        return self._read_files(self._paths.conf, self._paths.toml)

    def wanted(self) -> ConfigFiles:
        """What shall run: ``current``, but the confirmed copy where a revert is due that a full disk has put off."""
        journal = self._journal()
        if journal is None or (journal.deadline is not None and journal.deadline.remaining_s(self._clock) > 0):
            return self.current()
        return self._backup(journal)

    def pending(self) -> Pending | None:
        journal = self._journal()
        if journal is None or journal.deadline is None:
            return None
        return Pending(journal.confirm_id, journal.deadline.remaining_s(self._clock))

    def recover(self) -> str | None:
        """Finish what a dead process left. Returns "interrupted" or "expired" if the copy was put back, else None."""
        self._remove_leftovers()
        journal = self._journal()
        if journal is None:
            return None
        if journal.deadline is None:
            self.revert()
            return "interrupted"
        if journal.deadline.remaining_s(self._clock) > 0:
            return None
        self.revert()
        return "expired"

    def stage(self, files: ConfigFiles) -> StagedFiles:
        """Both files durable on disk, not yet in place. Raises DriverError."""
        make_private_dir(self._paths.host.config_dir)
        conf = stage_private(self._paths.conf, self._sealed(files.conf))
        try:
            toml = stage_private(self._paths.toml, files.toml.encode())
        except DriverError:
            discard_staged(conf)
            raise
        return StagedFiles(conf, toml)

    def commit(self, staged: StagedFiles, confirm_timeout_s: float) -> Pending | None:
        """Put staged files in place. 0: final at once; else pending for so long. On an error all is as before."""
        try:
            journal = self._journal()
            backup = self._backup(journal) if journal is not None else self.current()
            self._write_backup(backup)
            self._write_journal(_Journal("writing", "", None, backup.conf is not None))
        except WireFleetError:
            staged.discard()
            raise
        try:
            commit_staged(staged.conf, self._paths.conf)
            commit_staged(staged.toml, self._paths.toml)
            return self._settle(confirm_timeout_s, had_conf=backup.conf is not None)
        except DriverError:
            staged.discard()
            self.revert()
            raise

    def rearm(self, confirm_timeout_s: float) -> Pending | None:
        """The same configuration was applied again while pending: a new confirm id, a new deadline."""
        journal = self._journal()
        return self._settle(confirm_timeout_s, had_conf=journal is not None and journal.had_conf)

    def confirm(self, confirm_id: str, *, check: bool = False) -> bool:
        """The present configuration stays. False if nothing is pending and ``confirm_id`` was the last one confirmed.

        check: answer only. Raises RefusedError for a wrong id, and for the right one after the deadline.
        """
        pending = self.pending()
        if pending is None:
            if hmac.compare_digest(self._last_confirmed(), _fingerprint(confirm_id)):
                return False
            raise RefusedError("nothing is waiting for a confirmation with this id", path="confirm_id")
        if not hmac.compare_digest(pending.confirm_id.encode(), confirm_id.encode()):
            raise RefusedError("this is not the id of the pending configuration", path="confirm_id")
        if pending.remaining_s <= 0:
            raise RefusedError("too late: the configuration is being reverted", path="confirm_id")
        if not check:
            write_private(self._paths.pending_dir / "confirmed", _fingerprint(confirm_id))
            self._remove_journal()
        return True

    def revert(self) -> ConfigFiles:
        """Put the confirmed configuration back; returns it. Without a journal nothing changes."""
        journal = self._journal()
        if journal is None:
            return self.current()
        backup = self._backup(journal)
        if backup.conf is None:
            remove_file(self._paths.conf)
            remove_file(self._paths.toml)
        else:
            write_private(self._paths.conf, self._sealed(backup.conf))
            write_private(self._paths.toml, backup.toml.encode())
        self._remove_journal()
        return backup

    def _settle(self, confirm_timeout_s: float, *, had_conf: bool) -> Pending | None:
        if confirm_timeout_s <= 0:
            self._remove_journal()
            return None
        deadline = Deadline.after(confirm_timeout_s, self._clock)
        confirm_id = secrets.token_hex(16)
        self._write_journal(_Journal("pending", confirm_id, deadline, had_conf))
        return Pending(confirm_id, deadline.remaining_s(self._clock))

    @property
    def _journal_path(self) -> Path:
        return self._paths.pending_dir / "journal.json"

    def _journal(self) -> _Journal | None:
        content = read_private(self._journal_path)
        if content is None:
            return None
        try:
            found = json.loads(content)
            deadline = Deadline.from_dict(found["deadline"]) if found["state"] == "pending" else None
            return _Journal(str(found["state"]), str(found["confirm_id"]), deadline, bool(found["had_conf"]))
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                "the journal of an unconfirmed change cannot be read",
                path=str(self._journal_path),
                hint="compare the configuration with the copies beside the journal, then remove it",
            ) from error

    def _write_journal(self, journal: _Journal) -> None:
        record = {
            "schema": _SCHEMA,
            "state": journal.state,
            "confirm_id": journal.confirm_id,
            "deadline": journal.deadline.as_dict() if journal.deadline else None,
            "had_conf": journal.had_conf,
        }
        write_private(self._journal_path, json.dumps(record, indent=1).encode() + b"\n")

    def _remove_journal(self) -> None:
        """The journal goes first: copies without a journal mean nothing."""
        for name in ("journal.json", "backup.conf", "backup.toml"):
            remove_file(self._paths.pending_dir / name)

    def _write_backup(self, files: ConfigFiles) -> None:
        make_private_dir(self._paths.host.state_dir)
        make_private_dir(self._paths.pending_dir.parent)
        make_private_dir(self._paths.pending_dir)
        write_private(self._paths.pending_dir / "backup.conf", self._sealed(files.conf))
        write_private(self._paths.pending_dir / "backup.toml", files.toml.encode())

    def _backup(self, journal: _Journal) -> ConfigFiles:
        if not journal.had_conf:
            return ConfigFiles()
        return self._read_files(self._paths.pending_dir / "backup.conf", self._paths.pending_dir / "backup.toml")

    def _sealed(self, conf: str | None) -> bytes:
        return self._sealing.seal((conf or "").encode(), self._purpose, Audience.HOST)

    def _read_files(self, conf: Path, toml: Path) -> ConfigFiles:
        content = read_private(conf)
        if content is None:
            return ConfigFiles()
        try:
            raw_conf = self._sealing.unseal(content, self._purpose)
        except RefusedError as error:
            raise RefusedError(error.message, path=str(conf), hint=error.hint) from error
        return ConfigFiles(_decoded(raw_conf, conf), _decoded(read_private(toml) or b"", toml))

    @property
    def _purpose(self) -> str:
        return f"config {self._paths.name}"

    def _last_confirmed(self) -> bytes:
        return read_private(self._paths.pending_dir / "confirmed") or b""

    def _remove_leftovers(self) -> None:
        """Only of this tunnel: its configuration, and all that a dead process staged beside the journal."""
        for folder, pattern in (
            (self._paths.conf.parent, f".{self._paths.conf.name}.*.new"),
            (self._paths.toml.parent, f".{self._paths.toml.name}.*.new"),
            (self._paths.pending_dir, ".*.new"),
        ):
            for leftover in folder.glob(pattern):
                discard_staged(leftover)


@dataclass(frozen=True)
class StagedFiles:
    """Two durable files under temporary names."""

    conf: Path
    toml: Path

    def discard(self) -> None:
        discard_staged(self.conf)
        discard_staged(self.toml)


def _fingerprint(confirm_id: str) -> bytes:
    return hashlib.sha256(confirm_id.encode()).hexdigest().encode()


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("this is not UTF-8 text", path=f"{path.name}: byte {error.start}") from error
