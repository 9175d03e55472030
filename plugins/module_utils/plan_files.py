# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan's files: plan directory, slices and lock file. Only what differs is written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .atomic_files import read_if_present, write_atomically
from .json_text import load_json
from .planner import Lock, Plan, is_host_name, natural_sort, parse_lock
from .problems import PlanFilesError, Problem

PLAN_NAME = "plan.json"
SLICES_NAME = "slices"
LOCK_NAME = "wirefleet.lock.json"
_LIMIT_BYTES = 256 << 20
_SLICE_SCHEMA = 1


@dataclass(frozen=True)
class PlanChanges:
    """What differs between the files and a plan. Names are sorted; deleted slices are not among changed ones."""

    is_lock_changed: bool
    is_plan_changed: bool
    changed_slices: tuple[str, ...]
    deleted_slices: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.is_lock_changed or self.is_plan_changed or self.changed_slices or self.deleted_slices)


class PlanFiles:
    """The files of one fleet. Errors of the system are reported as PlanFilesError with the path."""

    def __init__(self, plan_dir: str, lock_path: str) -> None:
        self.plan_dir = Path(plan_dir)
        self.lock_path = Path(lock_path)

    @property
    def scratch_dir(self) -> Path:
        """Where check mode writes, beside the plan directory."""
        return self.plan_dir.with_name(self.plan_dir.name + ".check")

    def read_lock_bytes(self) -> bytes | None:
        return _read(self.lock_path)

    def read_lock(self) -> Lock:
        """The lock as it is; an empty one if there is no file yet. Raises PlanFilesError."""
        raw = self.read_lock_bytes()
        return Lock() if raw is None else parse_lock(raw, str(self.lock_path))

    def is_lock_lost(self) -> bool:
        """A plan without its lock: somebody deleted the lock, or forgot to put it under version control."""
        return not self.lock_path.exists() and (self.plan_dir / PLAN_NAME).exists()

    def read_plan(self) -> dict[str, object]:
        """The former plan, for a diff only: an unreadable one counts as none."""
        try:
            raw = _read(self.plan_dir / PLAN_NAME)
            return {} if raw is None else load_json(raw, PLAN_NAME)
        except PlanFilesError:
            return {}

    def compare(self, plan: Plan) -> PlanChanges:
        """What ``write`` would do."""
        slices = self.plan_dir / SLICES_NAME
        changed = [name for name, text in plan.slice_texts.items() if _read(_slice_path(slices, name)) != text.encode()]
        present = [path.name for path in slices.glob("*.json")] if slices.is_dir() else []
        deleted = [name[: -len(".json")] for name in present if name[: -len(".json")] not in plan.slice_texts]
        return PlanChanges(
            is_lock_changed=self.read_lock_bytes() != plan.lock_text.encode(),
            is_plan_changed=_read(self.plan_dir / PLAN_NAME) != plan.plan_text.encode(),
            changed_slices=tuple(natural_sort(changed)),
            deleted_slices=tuple(natural_sort(deleted)),
        )

    def write(self, plan: Plan, changes: PlanChanges) -> None:
        """Bring the files to the plan. The lock comes first: a plan that is not remembered must not be applied."""
        try:
            if changes.is_lock_changed:
                self.lock_path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self.lock_path, plan.lock_text.encode())
            _write_directory(self.plan_dir, plan, changes.changed_slices, is_plan_changed=changes.is_plan_changed)
            for name in changes.deleted_slices:
                (self.plan_dir / SLICES_NAME / f"{name}.json").unlink(missing_ok=True)
        except OSError as error:
            raise _from_os(error, self.plan_dir) from error
        self.remove_scratch()

    def write_scratch(self, plan: Plan) -> Path:
        """Write the whole plan to the scratch directory; nothing else is touched."""
        self.remove_scratch()
        try:
            _write_directory(self.scratch_dir, plan, plan.slice_texts, is_plan_changed=True)
        except OSError as error:
            raise _from_os(error, self.scratch_dir) from error
        return self.scratch_dir

    def remove_scratch(self) -> None:
        if (self.scratch_dir / PLAN_NAME).is_file():
            try:
                shutil.rmtree(self.scratch_dir)
            except OSError as error:
                raise _from_os(error, self.scratch_dir) from error


def read_slice(plan_dir: str, host: str) -> Mapping[str, object]:
    """One host's slice. Raises PlanFilesError that says what to do if there is none."""
    if not is_host_name(host):
        raise PlanFilesError(Problem("a planned host has another kind of name", hosts=(host,)))
    path = _slice_path(Path(plan_dir) / SLICES_NAME, host)
    raw = _read(path)
    if raw is None:
        hint = "run wg_plan first; the host must be in the group of hubs or of spokes"
        raise PlanFilesError(Problem("there is no slice for this host", hosts=(host,), path=str(path), hint=hint))
    document = load_json(raw, str(path))
    if document.get("schema") != _SLICE_SCHEMA or document.get("host") != host:
        hint = "run wg_plan again"
        raise PlanFilesError(Problem("this is no slice of the host", hosts=(host,), path=str(path), hint=hint))
    return document


def _slice_path(slices: Path, host: str) -> Path:
    return slices / f"{host}.json"


def _write_directory(
    directory: Path, plan: Plan, slices: Mapping[str, str] | tuple[str, ...], *, is_plan_changed: bool
) -> None:
    (directory / SLICES_NAME).mkdir(parents=True, exist_ok=True)
    for name in slices:
        write_atomically(_slice_path(directory / SLICES_NAME, name), plan.slice_texts[name].encode(), is_durable=False)
    if is_plan_changed:
        write_atomically(directory / PLAN_NAME, plan.plan_text.encode(), is_durable=False)


def _read(path: Path) -> bytes | None:
    try:
        return read_if_present(path, _LIMIT_BYTES)
    except OSError as error:
        raise _from_os(error, path) from error


def _from_os(error: OSError, path: Path) -> PlanFilesError:
    return PlanFilesError(Problem(error.strerror or str(error), path=str(error.filename or path)))
