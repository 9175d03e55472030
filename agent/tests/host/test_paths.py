# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wirefleet_agent.errors import UsageError
from wirefleet_agent.host.paths import LINUX_LAYOUT, OWN_LAYOUT, WINDOWS_LAYOUT, Paths, host_root


def test_the_folders_of_linux_lie_where_its_programs_have_them(tmp_path):
    tunnel = Paths(tmp_path, LINUX_LAYOUT).tunnel("wf0")

    assert tunnel.conf == tmp_path / "etc/wirefleet/wf0.conf"
    assert tunnel.private_key == tmp_path / "var/lib/wirefleet/keys/wf0.key"
    assert tunnel.pending_dir == tmp_path / "var/lib/wirefleet/pending/wf0"
    assert tunnel.pid == tmp_path / "run/wirefleet/wf0.pid"
    assert tunnel.log == tmp_path / "var/log/wirefleet/wf0.log"
    assert tunnel.host.release_dir == tmp_path / "opt/wirefleet/releases"


def test_on_windows_everything_lies_below_one_folder(tmp_path):
    tunnel = Paths(tmp_path, WINDOWS_LAYOUT).tunnel("上海-01")

    assert tunnel.conf == tmp_path / "config/上海-01.conf"
    assert tunnel.private_key == tmp_path / "state/keys/上海-01.key"
    assert tunnel.host.identity_key == tmp_path / "state/keys/identity.key"
    assert tunnel.pending_dir == tmp_path / "state/pending/上海-01"
    assert tunnel.pid == tmp_path / "run/上海-01.pid"
    assert tunnel.log == tmp_path / "logs/上海-01.log"
    assert tunnel.host.release_dir == tmp_path / "releases"
    assert tunnel.host.opt_dir == tmp_path


def test_the_layout_is_this_platforms(tmp_path):
    assert OWN_LAYOUT is (WINDOWS_LAYOUT if sys.platform == "win32" else LINUX_LAYOUT)
    assert Paths(tmp_path).layout is OWN_LAYOUT


@pytest.mark.parametrize("name", ["sixteen-letters-", "ü", "上海-01", "-x", "identity"])
def test_what_is_no_interface_of_linux_is_refused_there(tmp_path, name):
    with pytest.raises(UsageError):
        Paths(tmp_path, LINUX_LAYOUT).tunnel(name)


@pytest.mark.parametrize("name", ["con", "wf0.", "-x", "Identity"])
def test_what_is_no_file_of_windows_is_refused_there(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        Paths(tmp_path, WINDOWS_LAYOUT).tunnel(name)
    assert caught.value.hint


def test_tunnels_are_found_by_their_configuration_and_other_files_are_not(tmp_path):
    paths = Paths(tmp_path, WINDOWS_LAYOUT)
    paths.config_dir.mkdir()
    for name in ("wf1.conf", "上海-01.conf", "wf0.toml", "identity.conf", "a b.conf"):
        (paths.config_dir / name).touch()
    (paths.config_dir / "folder.conf").mkdir()

    assert paths.configured_tunnels() == ["wf1", "上海-01"]


def test_the_root_is_absolute_and_has_a_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert host_root("host") == Path.cwd() / "host"
    assert host_root(str(tmp_path)) == tmp_path
    assert host_root(None) == host_root("") == Path(OWN_LAYOUT.default_root)


@pytest.mark.windows_only
def test_a_root_near_the_limit_of_windows_gets_the_prefix_for_long_paths(tmp_path):
    long = tmp_path.joinpath(*["a" * 50] * 4)

    root = host_root(f"{long}\\.\\x\\..")

    assert str(root) == f"\\\\?\\{long}"
    tunnel = Paths(root).tunnel("上海-01")
    tunnel.pending_dir.mkdir(parents=True)
    tunnel.host.config_dir.mkdir()
    tunnel.conf.write_text("[Interface]\n")
    assert tunnel.host.configured_tunnels() == ["上海-01"]
