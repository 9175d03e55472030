# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""wintun.dll is loaded only if it is the one we know. Runs on Windows' Python, under Wine in the rehearsal."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import sys
from pathlib import Path

import pytest
from wirefleet_agent.errors import DriverError

pytestmark = pytest.mark.windows_only

if sys.platform == "win32":
    from support.tun_hosts import wintun_dll
    from wirefleet_agent.drivers.win32 import wintun
    from wirefleet_agent.drivers.win32.wintun import load_wintun


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def dll(tmp_path: Path) -> Path:
    copy = tmp_path / "wintun.dll"
    copy.write_bytes(wintun_dll().read_bytes())
    return copy


def test_the_signed_dll_with_the_right_sum_tells_its_version(dll: Path) -> None:
    loaded = load_wintun(dll, sha256_of(dll).upper())

    adapter = loaded.create_adapter("wfload0", "WireFleet", wintun.UUID(int=1))
    assert loaded.driver_version() >= (0, 14)
    loaded.close_adapter(adapter)


def test_another_sum_is_refused_before_anything_is_loaded(dll: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wintun, "Wintun", None)

    with pytest.raises(DriverError) as caught:
        load_wintun(dll, "0" * 64)

    assert caught.value.call == "LoadLibrary"
    assert sha256_of(dll) in caught.value.message
    assert "install" in (caught.value.hint or "")


def test_a_broken_signature_is_refused_even_with_the_right_sum(dll: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wintun, "Wintun", None)
    content = bytearray(dll.read_bytes())
    content[len(content) // 2] ^= 1
    dll.write_bytes(content)

    with pytest.raises(DriverError) as caught:
        load_wintun(dll, sha256_of(dll))

    assert caught.value.call == "WinVerifyTrust"
    assert caught.value.os_code >= 0x80000000
    assert "install" in (caught.value.hint or "")


def test_a_dll_without_a_signature_is_refused(tmp_path: Path) -> None:
    unsigned = tmp_path / "wintun.dll"
    unsigned.write_bytes(Path(sys.executable).read_bytes())

    with pytest.raises(DriverError) as caught:
        load_wintun(unsigned, sha256_of(unsigned))

    assert caught.value.call == "WinVerifyTrust"


def test_nobody_can_swap_the_file_between_the_check_and_the_load(dll: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped: list[str] = []
    evil = dll.with_name("evil.dll")
    evil.write_bytes(b"MZ")

    def try_to_swap(path: str, file: int) -> None:
        for swap in (lambda: evil.replace(dll), lambda: dll.write_bytes(b"MZ"), dll.unlink):
            try:
                swap()
                swapped.append(path)
            except PermissionError:
                pass

    monkeypatch.setattr(wintun, "check_signature", try_to_swap)
    load_wintun(dll, sha256_of(dll))

    assert swapped == []


def test_the_dll_may_still_speak_to_a_logger_that_it_was_told_to_forget(dll: Path) -> None:
    """It cleans up on threads of its own after an adapter was closed, and one may be about to call just then."""
    loaded = load_wintun(dll, sha256_of(dll))
    given: list[int | None] = []
    loaded._functions["SetLogger"] = lambda callback: given.append(ctypes.cast(callback, ctypes.c_void_p).value)
    heard: list[tuple[int, str]] = []

    loaded.set_logger(lambda level, line: heard.append((level, line)))
    speak = ctypes.WINFUNCTYPE(None, ctypes.c_int, ctypes.c_uint64, ctypes.c_wchar_p)(given[0] or 0)
    speak(1, 0, "while it listens")
    loaded.set_logger(None)
    gc.collect()
    speak(2, 0, "after it was forgotten")
    loaded.set_logger(lambda level, line: heard.append((level, line)))

    assert heard == [(1, "while it listens")]
    assert given == [given[0], None, given[0]]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DriverError) as caught:
        load_wintun(tmp_path / "wintun.dll", "0" * 64)

    assert (caught.value.call, caught.value.os_code) == ("CreateFile", 2)
    assert caught.value.path == str(tmp_path / "wintun.dll")


def test_a_dll_that_is_not_wintun_is_an_error_and_no_crash(tmp_path: Path) -> None:
    other = tmp_path / "other.dll"
    other.write_bytes(Path(sys.base_prefix, "vcruntime140.dll").read_bytes())

    with pytest.raises(DriverError) as caught:
        load_wintun(other, sha256_of(other), verify_signature=False)

    assert caught.value.call == "LoadLibrary"
