# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Put preshared keys that came beside a configuration into its text, so that the file on the host is whole."""

from __future__ import annotations

from collections.abc import Mapping

from ..keys import PresharedKey, PublicKey


def with_preshared_keys(conf: str, keys: Mapping[PublicKey, PresharedKey]) -> str:
    """``conf`` with a PresharedKey line after each PublicKey that needs one; it must be valid and agree with ``keys``.

    Everything else, comments included, stays as it is.
    """
    if not keys:
        return conf
    lines = conf.splitlines(keepends=True)
    result: list[str] = []
    for start, end in _sections(lines):
        section = lines[start:end]
        has_key = any(_key_value(line)[0] == "presharedkey" for line in section)
        for line in section:
            result.append(line)
            name, value = _key_value(line)
            key = keys.get(_public_key(value)) if name == "publickey" and not has_key else None
            if key is not None and not key.is_zero:
                newline = "" if line.endswith("\n") else "\n"
                result.append(f"{newline}PresharedKey = {key.reveal_base64()}\n")
    return "".join(result)


def _sections(lines: list[str]) -> list[tuple[int, int]]:
    """(first line, line after the last) of what precedes the first header and of each section."""
    starts = [0, *(number for number, line in enumerate(lines) if line.lstrip().startswith("[") and number)]
    return list(zip(starts, [*starts[1:], len(lines)], strict=True))


def _key_value(line: str) -> tuple[str, str]:
    name, _, value = line.partition("#")[0].partition("=")
    return name.strip().lower(), value.strip()


def _public_key(text: str) -> PublicKey:
    return PublicKey.from_base64(text)
