# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils import atomic_files
from ansible_collections.wirefleet.wireguard.plugins.module_utils.atomic_files import read_if_present, write_atomically
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_states import (
    describe,
    ensure_as_value,
    ensure_in_file,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import encode_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.private_copies import PrivateCopies, redact
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError, SecretFileError
from ansible_collections.wirefleet.wireguard.plugins.module_utils.secret_file import SecretFile

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def secret_file(path):
    return SecretFile(str(path), "private key")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "file"
    target.write_text("old")

    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")

    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_mode_of_a_replaced_file_stays_and_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")

    write_atomically(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert mode(tmp_path / "real") == 0o640


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    (tmp_path / "big").write_bytes(b"12345")

    assert read_if_present(tmp_path / "none", 4) is None
    assert read_if_present(tmp_path / "big", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_if_present(tmp_path / "big", 4)


def test_a_missing_secret_is_made_with_its_directories_for_the_owner_alone(tmp_path):
    path = tmp_path / "secrets" / "a.key"

    outcome = ensure_in_file(secret_file(path), "present", lambda: NEW, check=False)

    assert outcome.is_changed
    assert path.read_text() == encode_key(NEW) + "\n"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_valid_secret_is_kept(tmp_path):
    path = tmp_path / "a.key"
    path.write_text(f"\n{encode_key(OLD)}  \n")
    path.chmod(0o600)

    outcome = ensure_in_file(secret_file(path), "present", lambda: NEW, check=False)

    assert not outcome.is_changed
    assert outcome.raw == OLD


def test_a_drifted_mode_is_repaired_and_the_key_kept(tmp_path):
    path = tmp_path / "a.key"
    path.write_text(encode_key(OLD))
    path.chmod(0o644)

    outcome = ensure_in_file(secret_file(path), "present", lambda: NEW, check=False)

    assert outcome.is_changed
    assert outcome.mode_before == 0o644
    assert outcome.raw == OLD
    assert mode(path) == 0o600


def test_rotation_replaces_the_secret_and_absence_removes_it(tmp_path):
    path = tmp_path / "a.key"
    path.write_text(encode_key(OLD))

    rotated = ensure_in_file(secret_file(path), "rotated", lambda: NEW, check=False)
    assert (rotated.raw_before, rotated.raw) == (OLD, NEW)
    assert secret_file(path).raw == NEW

    assert ensure_in_file(secret_file(path), "absent", lambda: NEW, check=False).is_changed
    assert not path.exists()
    assert not ensure_in_file(secret_file(path), "absent", lambda: NEW, check=False).is_changed


@pytest.mark.parametrize("state", ["present", "rotated", "absent"])
def test_check_mode_changes_nothing(tmp_path, state):
    path, missing = tmp_path / "a.key", tmp_path / "none" / "b.key"
    path.write_text(encode_key(OLD))
    path.chmod(0o644)

    outcome = ensure_in_file(secret_file(path), state, lambda: NEW, check=True)
    on_missing = ensure_in_file(secret_file(missing), state, lambda: NEW, check=True)

    assert outcome.is_changed
    assert outcome.raw == {"present": OLD, "rotated": None, "absent": None}[state]
    assert on_missing.is_changed is (state != "absent")
    assert path.read_text() == encode_key(OLD)
    assert mode(path) == 0o644
    assert not missing.parent.exists()


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff" * 44, encode_key(OLD).encode() * 2, b"x" * 5000])
def test_a_file_with_something_else_is_an_error_and_stays(tmp_path, content):
    path = tmp_path / "a.key"
    path.write_bytes(content)

    with pytest.raises(SecretFileError) as caught:
        secret_file(path)

    assert str(path) in str(caught.value)
    assert "not a key" not in str(caught.value)
    assert path.read_bytes() == content


def test_errors_of_the_system_name_the_file(tmp_path, monkeypatch):
    with pytest.raises(SecretFileError, match="Is a directory"):
        secret_file(tmp_path)
    (tmp_path / "file").write_text("x")
    file = secret_file(tmp_path / "a.key")
    file._path = tmp_path / "file" / "a.key"  # what happens when a directory becomes a file meanwhile
    with pytest.raises(SecretFileError, match=r"a\.key: (Not a directory|File exists)"):
        file.write(OLD)

    def refuse(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(pathlib.Path, "chmod", refuse)
    monkeypatch.setattr(pathlib.Path, "unlink", refuse)
    for act in (file.repair_mode, file.remove):
        with pytest.raises(SecretFileError, match="Operation not permitted"):
            act()


def test_without_a_file_a_given_secret_is_kept_and_a_missing_one_is_made():
    kept = ensure_as_value(encode_key(OLD), "present", lambda: NEW, "private key")
    made = ensure_as_value(None, "present", lambda: NEW, "private key")
    rotated = ensure_as_value(encode_key(OLD), "rotated", lambda: NEW, "private key")

    assert (kept.is_changed, kept.raw) == (False, OLD)
    assert (made.is_changed, made.raw) == (True, NEW)
    assert (rotated.is_changed, rotated.raw, rotated.raw_before) == (True, NEW, OLD)
    with pytest.raises(ValueError, match="a private key is 44 base64 characters"):
        ensure_as_value("x", "present", lambda: NEW, "private key")


def test_a_diff_describes_a_key_without_showing_it():
    assert describe(False, None, None) == ""
    assert describe(True, 0o600, "PUBLIC=") == "public_key: PUBLIC=\nmode: 0600\n"
    assert describe(True, None, None) == "mode: -\n"


def test_copies_are_written_once_with_mode_0600(tmp_path):
    texts = {"wf0.conf": "[Interface]\n", "wf0.toml": "schema = 1\n"}
    copies = PrivateCopies(tmp_path / "new", texts)
    assert copies.needs_write()
    copies.write()

    again = PrivateCopies(tmp_path / "new", texts)
    assert not again.needs_write()
    assert again.diff() == []
    assert mode(tmp_path / "new" / "wf0.conf") == 0o600

    (tmp_path / "new" / "wf0.conf").chmod(0o644)
    assert PrivateCopies(tmp_path / "new", texts).needs_write()


def test_a_diff_of_copies_redacts_what_somebody_added_by_hand(tmp_path):
    key = encode_key(OLD)
    (tmp_path / "wf0.conf").write_text(f"PrivateKey = {key}\n#preshared_key={key}\nPublicKey = {key}\n")

    [diff] = PrivateCopies(tmp_path, {"wf0.conf": "x\n"}).diff()

    assert diff["before"] == f"PrivateKey = (redacted)\n#preshared_key=(redacted)\nPublicKey = {key}\n"
    assert diff["after"] == "x\n"
    assert redact("Private Key=  abc") == "Private Key=  (redacted)"


def test_copies_that_cannot_be_read_or_written_are_named(tmp_path):
    (tmp_path / "wf0.conf").mkdir()
    with pytest.raises(PlanFilesError, match=r"wf0\.conf: Is a directory"):
        PrivateCopies(tmp_path, {"wf0.conf": ""})
    (tmp_path / "file").write_text("")
    copies = PrivateCopies(tmp_path / "dir", {"a": "b"})
    copies._directory = tmp_path / "file"
    with pytest.raises(PlanFilesError, match="File exists"):
        copies.write()
