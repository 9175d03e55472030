# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Exactly the rights that our files need: nobody else reads what is private, nobody else replaces what is run.

For hosts where files were copied or restored by hand, and after an installation into folders that came with rights of
their own. What belongs to somebody else is refused, not taken over: he may have written it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .paths import Paths
from .private_files import files, os_failure


@dataclass(frozen=True)
class SecuredPath:
    path: Path
    changed: bool


def secure_host(paths: Paths, *, check: bool = False) -> tuple[SecuredPath, ...]:
    """Look at all that is there, in the order of the report; nothing is made. check: change nothing.

    Raises RefusedError for a link, or an owner that we do not trust, in the place of one of ours; DriverError.
    """
    found = [_secured(path, files.secure_program_dir, check=check) for path in _program_dirs(paths)]
    for folder in _private_dirs(paths):
        found.append(_secured(folder, files.secure_dir, check=check))
        found += [_secured(path, files.secure_file, check=check) for path in _files_in(folder)]
    return tuple(each for each in found if each is not None)


def _secured(path: Path, secure: Callable[..., bool], *, check: bool) -> SecuredPath | None:
    """None for what somebody removed meanwhile."""
    try:
        return SecuredPath(path, secure(path, check=check))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise os_failure("secure", path, error) from error


def _program_dirs(paths: Paths) -> Iterator[Path]:
    """Of a release its directory only: its files come from a bundle whose sums were checked, and never change."""
    yield from (path for path in (paths.opt_dir, paths.release_dir) if _is_there(path))
    yield from (path for path in _children(paths.release_dir) if path.is_dir())


def _private_dirs(paths: Paths) -> Iterator[Path]:
    for path in (paths.config_dir, paths.state_dir, paths.key_dir, paths.pending_dir, paths.cluster_dir):
        if _is_there(path):
            yield path
    for folder in (paths.pending_dir, paths.cluster_dir):
        yield from (path for path in _children(folder) if path.is_dir())
    yield from (path for path in (paths.run_dir, paths.log_dir) if _is_there(path))


def _files_in(folder: Path) -> Iterator[Path]:
    """Not the directories in it, which have a line of their own, nor a control socket, which its server has made so."""
    yield from (path for path in _children(folder) if path.is_symlink() or path.is_file())


def _children(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
