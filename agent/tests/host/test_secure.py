# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import sys

import pytest
from support.fake_time import FakeTime
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.private_files import files, make_private_dir
from wirefleet_agent.host.secure import secure_host
from wirefleet_agent.host.store import ConfigFiles, ConfigStore

if sys.platform == "win32":
    from wirefleet_agent.host.win32.security import PywinFileApi


@pytest.fixture
def paths(tmp_path):
    """A host with everything on it."""
    paths = Paths(tmp_path / "Program Files")
    KeyStore(paths).ensure("wf0")
    tunnel = paths.tunnel("wf0")
    store = ConfigStore(tunnel, FakeTime().boot_clock())
    store.commit(store.stage(ConfigFiles("[Interface]\n", "")), 0)
    store.commit(store.stage(ConfigFiles("[Interface]\n# new\n", "")), 60)
    make_private_dir(paths.log_dir)
    with FileLock(tunnel.pid):
        pass
    release = paths.release_dir / "0.1.0"
    release.mkdir(parents=True, mode=0o755)
    (release / "program").write_text("x")
    return paths


def open_to_others(path) -> None:
    if sys.platform == "win32":
        api = PywinFileApi()
        api.set_security(path, f"D:P(A;OICI;FA;;;{api.account().sid})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)")
    else:
        path.chmod(0o777)


def changed(paths: Paths, *, check: bool = False) -> list:
    return [each.path for each in secure_host(paths, check=check) if each.changed]


def test_what_the_agent_made_itself_is_secure(paths):
    assert changed(paths) == []


def test_every_private_path_and_every_directory_of_programs_is_looked_at(paths):
    tunnel = paths.tunnel("wf0")

    looked_at = {each.path for each in secure_host(paths, check=True)}

    assert looked_at == {
        paths.opt_dir,
        paths.release_dir,
        paths.release_dir / "0.1.0",
        paths.config_dir,
        tunnel.conf,
        tunnel.toml,
        paths.state_dir,
        paths.key_dir,
        tunnel.private_key,
        paths.identity_key,
        paths.pending_dir,
        tunnel.pending_dir,
        tunnel.pending_dir / "journal.json",
        tunnel.pending_dir / "backup.conf",
        tunnel.pending_dir / "backup.toml",
        paths.run_dir,
        tunnel.pid,
        paths.log_dir,
    }


def test_what_others_may_read_or_change_is_closed_once(paths):
    opened = [paths.tunnel("wf0").conf, paths.key_dir, paths.release_dir / "0.1.0"]
    for path in opened:
        open_to_others(path)

    assert changed(paths, check=True) == changed(paths, check=True)
    assert sorted(changed(paths)) == sorted(opened)

    assert changed(paths) == []
    assert KeyStore(paths).show("wf0").public_key


def test_an_untouched_host_has_nothing_to_secure_and_nothing_is_made(tmp_path):
    assert secure_host(Paths(tmp_path / "host")) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_vanishes_meanwhile_is_left_out(paths, monkeypatch):
    real = files.secure_file

    def secure_or_vanish(path, *, check):
        if path.suffix == ".toml":
            path.unlink(missing_ok=True)
        return real(path, check=check)

    monkeypatch.setattr(files, "secure_file", secure_or_vanish)

    assert paths.tunnel("wf0").toml not in [each.path for each in secure_host(paths)]


@pytest.mark.linux_only
@pytest.mark.parametrize("place", ["config_dir", "release_dir"])
def test_a_link_in_the_place_of_a_directory_is_refused_and_not_followed(tmp_path, place):
    paths, elsewhere = Paths(tmp_path / "host"), tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o777)
    elsewhere.chmod(0o777)
    getattr(paths, place).parent.mkdir(parents=True)
    getattr(paths, place).symlink_to(elsewhere)

    with pytest.raises(RefusedError, match="directory of its own"):
        secure_host(paths)
    assert elsewhere.stat().st_mode & 0o777 == 0o777


@pytest.mark.linux_only
def test_a_link_in_the_place_of_a_file_is_refused_even_if_it_leads_nowhere(paths):
    (paths.config_dir / "wf1.conf").symlink_to("nowhere")

    with pytest.raises(RefusedError, match="regular file"):
        secure_host(paths)


@pytest.mark.linux_only
def test_modes_lose_exactly_what_others_have(paths):
    conf, release = paths.tunnel("wf0").conf, paths.release_dir / "0.1.0"
    conf.chmod(0o644)
    release.chmod(0o775)

    secure_host(paths)

    assert (conf.stat().st_mode & 0o777, release.stat().st_mode & 0o777) == (0o600, 0o755)


@pytest.mark.linux_only
@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_refused_and_left_alone(paths):
    os.chown(paths.tunnel("wf0").conf, 65534, 65534)
    open_to_others(paths.tunnel("wf0").conf)

    with pytest.raises(RefusedError, match="belongs to user 65534"):
        secure_host(paths)
    assert paths.tunnel("wf0").conf.stat().st_mode & 0o777 == 0o777
