# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.wirefleet.wireguard.plugins.modules import wg_keypair, wg_preshared_key


@pytest.fixture
def run(capsys):
    """Runs a module's main(); returns its result, with ``failed`` as Ansible sees it."""

    def call(module, _check=False, **arguments):
        given = {**arguments, "_ansible_check_mode": _check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_a_key_pair_is_made_once_and_kept(run, tmp_path):
    path = str(tmp_path / "a.key")

    first = run(wg_keypair, path=path)
    second = run(wg_keypair, path=path)

    assert first["changed"]
    assert not second["changed"]
    assert first["public_key"] == second["public_key"]
    assert first["path"] == path
    assert first["diff"]["after"] == f"public_key: {first['public_key']}\nmode: 0600\n"
    assert (tmp_path / "a.key").read_text().strip() not in json.dumps([first, second])


def test_check_mode_says_so_and_makes_nothing(run, tmp_path):
    result = run(wg_keypair, _check=True, path=str(tmp_path / "a.key"))

    assert result["changed"]
    assert result["public_key"] is None
    assert result["diff"]["after"] == "public_key: (a new key)\nmode: 0600\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_the_private_key_is_returned_and_a_given_one_is_not(run):
    made = run(wg_keypair)
    given = run(wg_keypair, private_key=made["private_key"])

    assert given["public_key"] == made["public_key"]
    assert not given["changed"]
    assert "private_key" not in given
    assert made["private_key"] not in json.dumps(given)


def test_check_mode_returns_no_key_at_all(run):
    result = run(wg_keypair, _check=True)
    assert result["public_key"] is None
    assert "private_key" not in result
    assert "preshared_key" not in run(wg_preshared_key, _check=True)


def test_rotation_and_absence_show_the_public_key_that_goes(run, tmp_path):
    path = str(tmp_path / "a.key")
    first = run(wg_keypair, path=path)
    rotated = run(wg_keypair, path=path, state="rotated")
    gone = run(wg_keypair, path=path, state="absent")

    assert first["public_key"] in rotated["diff"]["before"]
    assert rotated["public_key"] in gone["diff"]["before"]
    assert gone["diff"]["after"] == ""
    assert gone["public_key"] is None


@pytest.mark.parametrize("module", [wg_keypair, wg_preshared_key])
def test_absence_needs_a_path(run, module):
    assert "path" in run(module, state="absent")["msg"]


@pytest.mark.parametrize("module", [wg_keypair, wg_preshared_key])
def test_a_file_with_something_else_fails_without_showing_it(run, tmp_path, module):
    (tmp_path / "a.key").write_text("the wrong file")

    result = run(module, path=str(tmp_path / "a.key"))

    assert result["failed"]
    assert "a.key: the file holds no" in result["msg"]
    assert "the wrong file" not in json.dumps(result)


def test_a_broken_private_key_fails_without_showing_it(run):
    result = run(wg_keypair, private_key="certainly-wrong")

    assert result["failed"]
    assert "a private key is 44 base64 characters" in result["msg"]
    assert "certainly-wrong" not in json.dumps(result)


def test_a_preshared_key_is_made_once_with_mode_0600_and_can_be_rotated(run, tmp_path):
    path = tmp_path / "psk"
    first = run(wg_preshared_key, path=str(path))
    text = path.read_text()
    second = run(wg_preshared_key, path=str(path))
    rotated = run(wg_preshared_key, path=str(path), state="rotated")

    assert [first["changed"], second["changed"], rotated["changed"]] == [True, False, True]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() != text
    assert text.strip() not in json.dumps([first, second, rotated])
    assert len(run(wg_preshared_key)["preshared_key"]) == 44


@pytest.mark.parametrize("module", [wg_keypair, wg_preshared_key])
def test_a_missing_library_is_named(run, monkeypatch, module):
    monkeypatch.setattr(module, "NACL_IMPORT_ERROR", "Traceback")

    result = run(module)

    assert result["failed"]
    assert "PyNaCl" in result["msg"]
