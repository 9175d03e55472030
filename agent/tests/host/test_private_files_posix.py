# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Owners, modes and links, seen through the stores that use private files."""

from __future__ import annotations

import os

import pytest
from support.fake_time import FakeTime
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.store import ConfigFiles, ConfigStore

pytestmark = pytest.mark.linux_only


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path)


@pytest.fixture
def keys(paths):
    return KeyStore(paths)


@pytest.fixture
def store(paths):
    store = ConfigStore(paths.tunnel("wf0"), FakeTime().boot_clock())
    store.commit(store.stage(ConfigFiles("[Interface]\n", "schema = 1\n")), 0)
    return store


def test_a_key_lies_alone_in_a_private_file_of_a_private_directory(keys, paths):
    keys.ensure("wf0")

    path = paths.tunnel("wf0").private_key
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert len(path.read_text().strip()) == 44


def test_both_files_of_a_configuration_are_private_and_as_they_were_given(store, paths):
    tunnel = paths.tunnel("wf0")

    assert {oct(path.stat().st_mode & 0o777) for path in (tunnel.conf, tunnel.toml)} == {"0o600"}
    assert tunnel.conf.read_text() == "[Interface]\n"


def test_a_configuration_that_others_may_read_is_refused(store, paths):
    paths.tunnel("wf0").conf.chmod(0o644)

    with pytest.raises(RefusedError, match="others may read"):
        store.current()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_read_is_refused(keys, paths, mode):
    keys.ensure("wf0")
    paths.tunnel("wf0").private_key.chmod(mode)

    with pytest.raises(RefusedError, match="others may read") as caught:
        keys.show("wf0")
    assert "chmod 600" in caught.value.hint


def test_a_key_in_a_directory_that_others_may_write_to_is_refused(keys, paths):
    keys.ensure("wf0")
    paths.key_dir.chmod(0o770)

    with pytest.raises(RefusedError, match="others may replace"):
        keys.show("wf0")


def test_a_symbolic_link_is_not_a_key(keys, paths, tmp_path):
    keys.ensure("wf0")
    os.symlink(paths.tunnel("wf0").private_key, paths.tunnel("wf1").private_key)

    with pytest.raises(RefusedError, match="symbolic link"):
        keys.show("wf1")


def test_a_named_pipe_is_not_waited_for(keys, paths):
    keys.ensure("wf0")
    os.mkfifo(paths.tunnel("wf1").private_key, 0o600)

    with pytest.raises(RefusedError, match="regular file"):
        keys.show("wf1")


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root can give files away")
def test_a_key_of_another_user_is_refused(keys, paths):
    keys.ensure("wf0")
    os.chown(paths.tunnel("wf0").private_key, 65534, 65534)

    with pytest.raises(RefusedError, match="belongs to user 65534"):
        keys.show("wf0")


def test_a_key_directory_that_is_a_link_is_refused(keys, paths, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paths.state_dir.mkdir(parents=True)
    paths.key_dir.symlink_to(elsewhere)

    with pytest.raises(RefusedError, match="directory of its own"):
        keys.ensure("wf0")
    assert list(elsewhere.iterdir()) == []
