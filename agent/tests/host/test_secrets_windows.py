# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Keys and configurations sealed by DPAPI: who opens what, on a recording stand-in and on the real calls."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace

import pytest
from support.fake_time import FakeTime
from support.windows_files import FakeDpapi
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import ConfigError, DriverError, RefusedError
from wirefleet_agent.host.configuration import Configuration
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import WINDOWS_LAYOUT, Paths
from wirefleet_agent.host.private_files import write_private
from wirefleet_agent.host.requests import ConfigRequest
from wirefleet_agent.host.sealing import Audience
from wirefleet_agent.host.secrets_windows import WindowsSealing
from wirefleet_agent.host.store import ConfigFiles, ConfigStore
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey

if sys.platform == "win32":
    from wirefleet_agent.host.win32.dpapi import PywinDpapi

NAME = "上海-01"
PEER = PublicKey(bytes(range(1, 33)))
CONF = f"[Interface]\nListenPort = 51820\n[Peer]\nPublicKey = {PEER}\nAllowedIPs = 10.9.0.2/32\n"
PSK = PresharedKey(bytes(range(60, 92)))


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path, WINDOWS_LAYOUT)


def admin() -> WindowsSealing:
    return WindowsSealing(FakeDpapi())


def service() -> WindowsSealing:
    return WindowsSealing(FakeDpapi(is_system=True))


def elsewhere() -> WindowsSealing:
    return WindowsSealing(FakeDpapi(is_system=True, machine="pc-2"))


def on_disk(path) -> dict:
    return json.loads(path.read_bytes())


def configuration(paths: Paths, sealing: WindowsSealing) -> Configuration:
    tunnel = paths.tunnel(NAME)
    return Configuration(tunnel, ConfigStore(tunnel, FakeTime().boot_clock(), sealing), KeyStore(paths, sealing))


def request(conf: str = CONF, psk: PresharedKey | None = None) -> ConfigRequest:
    return ConfigRequest(conf, "", {} if psk is None else {PEER: psk}, 0)


def test_the_service_seals_for_itself_and_an_administrator_for_the_machine():
    by_service, by_admin = FakeDpapi(is_system=True), FakeDpapi()

    for api in (by_service, by_admin):
        WindowsSealing(api).seal(b"x", "key wf0", Audience.SERVICE)

    assert by_service.calls == [(b"wirefleet v1 key wf0", False)]
    assert by_admin.calls == [(b"wirefleet v1 key wf0", True)]


def test_what_is_for_the_host_is_sealed_for_the_machine_by_the_service_too():
    api = FakeDpapi(is_system=True)

    content = WindowsSealing(api).seal(b"x", "config wf0", Audience.HOST)

    assert api.calls == [(b"wirefleet v1 config wf0", True)]
    assert admin().unseal(content, "config wf0") == b"x"
    assert not service().is_due(service().seal(b"x", "key wf0", Audience.SERVICE))


@pytest.mark.parametrize("audience", list(Audience))
def test_a_seal_opens_for_its_purpose_only_in_any_case_of_the_name(audience):
    content = service().seal(b"secret", "key WF0", audience)

    assert service().unseal(content, "key wf0") == b"secret"
    with pytest.raises(RefusedError, match="does not open"):
        service().unseal(content, "key wf1")
    with pytest.raises(RefusedError, match="does not open"):
        elsewhere().unseal(content, "key wf0")


def test_what_was_never_sealed_is_taken_as_it_is():
    assert admin().unseal(b"[Interface]\n", "config wf0") == b"[Interface]\n"
    assert admin().label(b"[Interface]\n") == ""


@pytest.mark.parametrize(
    "content",
    [
        b'{"wirefleet_sealed":1',
        b'{"wirefleet_sealed":1}',
        b'{"wirefleet_sealed":1,"for":"host","label":"","dpapi":"%"}',
        b'{"wirefleet_sealed":2,"for":"host","label":"","dpapi":""}',
        b'{"wirefleet_sealed":1,"for":"host","label":"","dpapi":"eHx4fHg="}',
    ],
)
def test_a_damaged_or_foreign_seal_is_refused(content):
    with pytest.raises(RefusedError):
        admin().unseal(content, "key wf0")


def test_a_failure_to_seal_is_a_driver_error_and_leaves_nothing(paths):
    sealing = WindowsSealing(FakeDpapi(error=OSError(0, "no profile")))

    with pytest.raises(DriverError, match="no profile"):
        KeyStore(paths, sealing).ensure(NAME)
    assert not list(paths.key_dir.iterdir())


def test_no_key_lies_in_the_clear_and_the_public_one_does(paths):
    keys = KeyStore(paths, service())
    report = keys.ensure(NAME)

    text = paths.tunnel(NAME).private_key.read_bytes()
    identity = paths.identity_key.read_bytes()
    secret = keys.private_key(NAME)
    assert secret.reveal_base64().encode() not in text
    assert text.isascii()
    assert on_disk(paths.tunnel(NAME).private_key)["label"] == str(report.public_key) == str(public_key_of(secret))
    assert (json.loads(text)["for"], json.loads(identity)["for"]) == ("service", "host")


def test_an_administrator_sees_the_public_key_of_what_only_the_service_opens_and_the_signature(paths):
    by_service = KeyStore(paths, service()).ensure(NAME)
    keys = KeyStore(paths, admin())

    assert keys.show(NAME) == keys.ensure(NAME) == replace(by_service, changed=False)
    assert keys.usable_key(NAME) is None
    with pytest.raises(RefusedError, match="sealed for the tunnel's service") as caught:
        keys.private_key(NAME)
    assert caught.value.path == str(paths.tunnel(NAME).private_key)


def test_the_service_adopts_a_key_that_was_made_before_it_ran(paths):
    before = KeyStore(paths, admin()).ensure(NAME)
    keys = KeyStore(paths, service())
    assert on_disk(paths.tunnel(NAME).private_key)["for"] == "host"

    assert keys.adopt(NAME)
    assert not keys.adopt(NAME)

    assert on_disk(paths.tunnel(NAME).private_key)["for"] == "service"
    assert keys.show(NAME).public_key == before.public_key == public_key_of(keys.private_key(NAME))


def test_a_key_put_there_by_hand_is_adopted_too(paths):
    keys = KeyStore(paths, service())
    keys.ensure("other")
    key = PrivateKey(bytes(range(32)))
    write_private(paths.tunnel(NAME).private_key, key.reveal_base64().encode())

    assert keys.adopt(NAME)

    assert keys.private_key(NAME) == key
    assert key.reveal_base64() not in paths.tunnel(NAME).private_key.read_text()


def test_nobody_but_the_service_adopts_and_nothing_is_no_key(paths):
    assert not KeyStore(paths, service()).adopt(NAME)
    KeyStore(paths, admin()).ensure(NAME)
    assert not KeyStore(paths, admin()).adopt(NAME)


def test_a_key_that_cannot_be_opened_any_more_can_be_rotated(paths):
    lost = KeyStore(paths, elsewhere()).ensure(NAME)
    paths.identity_key.unlink()
    keys = KeyStore(paths, service())
    with pytest.raises(RefusedError, match="another machine"):
        keys.private_key(NAME)

    assert keys.rotate(NAME).public_key != lost.public_key
    assert keys.private_key(NAME) is not None


def test_a_label_that_is_another_keys_is_refused(paths):
    keys = KeyStore(paths, service())
    keys.ensure(NAME)
    path = paths.tunnel(NAME).private_key
    path.write_text(json.dumps(on_disk(path) | {"label": str(PEER)}, separators=(",", ":")))

    with pytest.raises(RefusedError, match="another key's"):
        keys.private_key(NAME)


def test_a_configuration_with_preshared_keys_is_sealed_for_every_administrator(paths):
    KeyStore(paths, service()).ensure(NAME)
    configuration(paths, service()).apply(request(psk=PSK))

    raw = paths.tunnel(NAME).conf.read_bytes()
    assert PSK.reveal_base64().encode() not in raw
    assert base64.b64encode(PSK.reveal_bytes()) not in raw
    assert on_disk(paths.tunnel(NAME).conf)["for"] == "host"
    assert configuration(paths, admin()).check(request(psk=PSK))["changed"] is False


def test_the_copy_that_an_unconfirmed_change_goes_back_to_is_sealed_too(paths):
    store = ConfigStore(paths.tunnel(NAME), FakeTime().boot_clock(), admin())
    store.commit(store.stage(ConfigFiles("# old secret", "")), 0)
    store.commit(store.stage(ConfigFiles("# new secret", "")), 60)

    assert not [path for path in paths.root.rglob("*") if path.is_file() and b"old secret" in path.read_bytes()]
    assert store.revert() == ConfigFiles("# old secret", "")


def test_a_configuration_sealed_on_another_machine_is_refused_with_its_path(paths):
    store = ConfigStore(paths.tunnel(NAME), FakeTime().boot_clock(), elsewhere())
    store.commit(store.stage(ConfigFiles("[Interface]\n", "")), 0)

    with pytest.raises(RefusedError, match="another machine") as caught:
        ConfigStore(paths.tunnel(NAME), FakeTime().boot_clock(), service()).current()
    assert caught.value.path == str(paths.tunnel(NAME).conf)


def test_an_administrator_checks_and_applies_while_only_the_service_could_open_the_key(paths):
    KeyStore(paths, service()).ensure(NAME)
    by_admin = configuration(paths, admin())

    assert by_admin.check(request())["changed"]
    assert by_admin.apply(request())["changed"]
    assert by_admin.check(request())["changes"] == []
    assert configuration(paths, service()).stored().interface.private_key is not None
    with pytest.raises(RefusedError, match="sealed for the tunnel's service"):
        by_admin.stored()


def test_what_only_the_private_key_seemed_to_tell_is_told_by_the_public_one(paths):
    own = KeyStore(paths, service()).ensure(NAME).public_key
    by_admin = configuration(paths, admin())
    other = PrivateKey(bytes(range(32))).reveal_base64()

    with pytest.raises(ConfigError, match="own public key"):
        by_admin.check(request(CONF.replace(str(PEER), str(own))))
    with pytest.raises(ConfigError, match="differs from the key store"):
        by_admin.check(request(CONF.replace("[Interface]", f"[Interface]\nPrivateKey = {other}")))


def test_without_a_key_an_application_is_refused_as_on_any_host(paths):
    with pytest.raises(RefusedError, match="no private key"):
        configuration(paths, admin()).apply(request())


# The real calls


@pytest.mark.windows_only
@pytest.mark.parametrize("for_machine", [True, False])
def test_dpapi_opens_what_it_sealed_with_the_same_entropy_only(for_machine):
    api = PywinDpapi()
    sealed = api.protect(b"secret" * 10, b"entropy", for_machine=for_machine)

    assert b"secret" not in sealed
    assert api.unprotect(sealed, b"entropy") == b"secret" * 10
    with pytest.raises(OSError):
        api.unprotect(sealed, b"another")
    with pytest.raises(OSError):
        api.unprotect(sealed[:-1] + bytes([sealed[-1] ^ 1]), b"entropy")
    with pytest.raises(OSError):
        api.unprotect(b"", b"entropy")


@pytest.mark.windows_only
def test_the_stores_of_this_host_seal_without_being_told(tmp_path):
    paths = Paths(tmp_path)
    keys = KeyStore(paths)
    keys.ensure(NAME)

    secret = keys.private_key(NAME).reveal_base64().encode()
    assert not [path for path in tmp_path.rglob("*.key") if secret in path.read_bytes()]
    assert len(on_disk(paths.tunnel(NAME).private_key)["dpapi"]) > 100
