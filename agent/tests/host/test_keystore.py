# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import DriverError, RefusedError, UsageError
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path)


@pytest.fixture
def keys(paths):
    return KeyStore(paths)


def test_a_key_is_born_once(keys, paths):
    first = keys.ensure("wf0")
    second = keys.ensure("wf0")

    assert (first.changed, second.changed) == (True, False)
    assert first.public_key == second.public_key == public_key_of(keys.private_key("wf0"))


def test_tunnels_have_keys_of_their_own_and_one_identity(keys):
    a, b = keys.ensure("wf0"), keys.ensure("wf1")

    assert a.public_key != b.public_key
    assert a.identity.public_key == b.identity.public_key


def test_the_identity_signs_tunnel_and_key(keys):
    report = keys.ensure("wf0")
    identity = Ed25519PublicKey.from_public_bytes(report.identity.public_key)

    identity.verify(report.identity.signature, b"wirefleet key v1\0wf0\0" + report.public_key.raw)
    with pytest.raises(InvalidSignature):
        identity.verify(report.identity.signature, b"wirefleet key v1\0wf1\0" + report.public_key.raw)


def test_check_mode_makes_nothing(keys, tmp_path):
    report = keys.ensure("wf0", check=True)

    assert (report.changed, report.public_key, report.identity) == (True, None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_rotation_replaces_the_key_and_check_mode_does_not(keys):
    before = keys.ensure("wf0").public_key

    assert keys.rotate("wf0", check=True).public_key == before
    assert keys.show("wf0").public_key == before
    after = keys.rotate("wf0")

    assert after.changed
    assert after.public_key != before
    assert keys.show("wf0").public_key == after.public_key


def test_without_a_key_show_and_rotate_are_refused(keys):
    for ask in (keys.show, keys.rotate):
        with pytest.raises(RefusedError, match="no private key"):
            ask("wf0")


def test_a_removed_key_is_gone(keys):
    keys.ensure("wf0")

    assert keys.remove("wf0")
    assert not keys.remove("wf0")
    assert keys.private_key("wf0") is None


@pytest.mark.parametrize("text", ["", "short", "A" * 44, "é" * 22])
def test_what_is_not_a_key_is_refused_without_quoting_it(keys, paths, text):
    keys.ensure("wf0")
    paths.tunnel("wf0").private_key.write_text(text)

    with pytest.raises(RefusedError, match="not a key") as caught:
        keys.ensure("wf0")
    assert not text or text not in str(caught.value)


def test_a_full_disk_is_a_driver_error_and_leaves_nothing(keys, paths, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DriverError, match="No space left"):
        keys.ensure("wf0")
    monkeypatch.undo()
    assert not paths.key_dir.exists() or list(paths.key_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "-x", "33-letters-are-too-many-anywhere-", "a b", "wf0\n"])
def test_a_tunnel_name_that_is_no_interface_name_is_a_usage_error(paths, name):
    with pytest.raises(UsageError):
        paths.tunnel(name)
