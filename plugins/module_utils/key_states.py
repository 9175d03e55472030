# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states that the key modules share: present, absent and rotated, on a file or on returned values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .key_text import decode_key, encode_key
from .secret_file import SecretFile


@dataclass(frozen=True)
class KeyOutcome:
    """What was done or, in check mode, would be. raw: the secret now; None if there is none or it is not yet made."""

    is_changed: bool
    raw: bytes | None
    is_generated: bool
    mode_before: int | None = None
    raw_before: bytes | None = None


def ensure_in_file(file: SecretFile, state: str, generate: Callable[[], bytes], *, check: bool) -> KeyOutcome:
    """Bring the file to the state. Raises SecretFileError."""
    before, mode_before = file.raw, file.mode
    needs_removal = state == "absent" and file.exists
    needs_generation = state == "rotated" or (state == "present" and not file.exists)
    needs_mode_repair = state == "present" and file.needs_mode_repair()
    if needs_removal and not check:
        file.remove()
    if needs_generation and not check:
        file.write(generate())
    if needs_mode_repair and not check:
        file.repair_mode()
    raw = None if state == "absent" or (needs_generation and check) else file.raw
    return KeyOutcome(
        needs_removal or needs_generation or needs_mode_repair, raw, needs_generation, mode_before, before
    )


def ensure_as_value(given: str | None, state: str, generate: Callable[[], bytes], what: str) -> KeyOutcome:
    """Without a file: the given secret is kept, a missing one (or a rotated one) is made. Raises ValueError."""
    before = decode_key(given, what) if given else None
    if state == "rotated" or before is None:
        return KeyOutcome(True, generate(), True, raw_before=before)
    return KeyOutcome(False, before, False, raw_before=before)


def describe(exists: bool, mode: int | None, public_key: str | None) -> str:
    """One side of a diff; a secret is never part of it."""
    if not exists:
        return ""
    lines = [f"public_key: {public_key}"] if public_key else []
    return "\n".join([*lines, f"mode: {mode:04o}" if mode is not None else "mode: -"]) + "\n"


def public_text(raw: bytes | None, derive: Callable[[bytes], bytes]) -> str | None:
    return None if raw is None else encode_key(derive(raw))
