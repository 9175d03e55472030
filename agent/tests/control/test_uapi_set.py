# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A set of the cross-platform configuration protocol: what it means, and what is refused."""

from __future__ import annotations

import errno
import random
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.configs import prefixes, preshared_key, private_key, public_key
from support.control import Bench
from wirefleet_agent.config import changes as c
from wirefleet_agent.control import uapi
from wirefleet_agent.crypto import public_key_of
from wirefleet_agent.errors import DriverError, InternalError, RefusedError
from wirefleet_agent.keys import PrivateKey
from wirefleet_agent.wire import Endpoint

A, B = public_key("a"), public_key("b")
PRIVATE = private_key("device")
OWN = public_key_of(PRIVATE)
PSK = preshared_key("a")
A_LINE, B_LINE, OWN_LINE = (f"public_key={key.hex()}" for key in (A, B, OWN))
WHOLE = (
    f"private_key={PRIVATE.reveal_hex()}",
    "listen_port=51820",
    "fwmark=51820",
    "replace_peers=true",
    A_LINE,
    f"preshared_key={PSK.reveal_hex()}",
    "endpoint=192.0.2.1:51820",
    "persistent_keepalive_interval=25",
    "replace_allowed_ips=true",
    "allowed_ip=10.1.0.0/16",
    "allowed_ip=fd01::/64",
    "protocol_version=1",
    B_LINE,
    "update_only=true",
    "allowed_ip=10.2.0.0/16",
)


def configured() -> Bench:
    bench = Bench()
    bench.set(*WHOLE, B_LINE, "allowed_ip=10.2.0.0/16")
    return bench


def allowed(bench: Bench) -> dict[str, list[str]]:
    names = {A: "a", B: "b"}
    return {names[key]: sorted(map(str, peer.allowed_ips)) for key, peer in bench.device.peers.items()}


def test_every_key_has_its_effect() -> None:  # checklist 41, 42
    bench = Bench()

    bench.set(*WHOLE)

    assert bench.device.private_key == PRIVATE
    assert bench.sockets.listen_port == bench.sockets.fwmark == 51820
    (peer,) = bench.device.peers.values()
    assert peer.public_key == A
    assert peer.preshared_key == PSK
    assert peer.endpoint == Endpoint("192.0.2.1", 51820)
    assert peer.persistent_keepalive_s == 25
    assert set(peer.allowed_ips) == set(prefixes("10.1.0.0/16", "fd01::/64"))


def test_a_set_may_be_bytes_and_ends_at_an_empty_line() -> None:
    bench = Bench()

    assert uapi.parse_set(b"fwmark=1\n", bench.device) == (c.SetFwmark(1),)
    assert uapi.parse_set(b"fwmark=1\n\nnonsense", bench.device) == (c.SetFwmark(1),)
    assert uapi.parse_set(b"", bench.device) == ()


def test_hexadecimal_digits_have_no_case() -> None:
    bench = Bench()

    bench.set(A_LINE.replace(A.hex(), A.hex().upper()), f"preshared_key={PSK.reveal_hex().upper()}")

    assert bench.device.peers[A].preshared_key == PSK


def test_keys_of_zeros_clear() -> None:  # checklist 41
    bench = configured()

    bench.set(f"private_key={'0' * 64}", "fwmark=", A_LINE, f"preshared_key={'0' * 64}")

    assert bench.device.private_key is None
    assert bench.device.peers[A].preshared_key is None
    assert bench.sockets.fwmark == 0


def test_replace_peers_removes_every_peer_first() -> None:
    bench = configured()

    bench.set("replace_peers=true", B_LINE)

    assert allowed(bench) == {"b": []}


def test_update_only_never_makes_a_peer_and_updates_one_that_is_there() -> None:  # checklist 42
    bench = Bench()
    bench.set(A_LINE, "update_only=true", "persistent_keepalive_interval=5", "allowed_ip=10.1.0.0/16")
    assert not bench.device.peers

    bench.set(A_LINE, A_LINE, "update_only=true", "persistent_keepalive_interval=5")

    assert bench.device.peers[A].persistent_keepalive_s == 5


def test_a_peer_that_update_only_unmakes_late_has_taken_its_prefixes_with_it_as_in_wireguard_go() -> None:
    bench = configured()

    bench.set(
        "replace_peers=true", A_LINE, "allowed_ip=10.2.0.0/16", B_LINE, "allowed_ip=10.2.0.0/16", "update_only=true"
    )

    assert allowed(bench) == {"a": []}


def test_remove_removes_and_the_rest_of_the_section_goes_nowhere() -> None:  # checklist 42
    bench = configured()

    bench.set(A_LINE, "remove=true", "allowed_ip=10.2.0.0/16", "persistent_keepalive_interval=9", "remove=true")

    assert allowed(bench) == {"b": ["10.2.0.0/16"]}


def test_removing_a_stranger_changes_nothing() -> None:
    bench = Bench()

    assert uapi.parse_set([A_LINE, "remove=true"], bench.device) == ()
    assert uapi.parse_set([A_LINE, "update_only=true", "remove=true"], bench.device) == ()


def test_a_removed_peer_can_come_back_in_the_same_set() -> None:
    bench = configured()

    bench.set(A_LINE, "remove=true", A_LINE, "allowed_ip=10.9.0.0/16")

    assert allowed(bench) == {"a": ["10.9.0.0/16"], "b": ["10.2.0.0/16"]}


def test_the_own_public_key_is_silently_ignored_but_its_lines_are_checked() -> None:  # checklist 42
    bench = configured()
    before = bench.snapshot()
    lines = [OWN_LINE, "replace_allowed_ips=true", "allowed_ip=10.1.0.0/16", "update_only=true", "remove=true"]

    bench.set(*lines)

    assert bench.snapshot() == before
    with pytest.raises(uapi.UapiError):
        bench.set(OWN_LINE, "allowed_ip=nonsense")


def test_the_own_key_is_that_of_the_private_key_in_the_same_set() -> None:  # checklist 17
    bench = configured()
    new = PrivateKey(bytes(range(32)))
    new_own = f"public_key={public_key_of(new).hex()}"
    bench.set(new_own)

    bench.set(f"private_key={new.reveal_hex()}", new_own, OWN_LINE)

    assert set(bench.device.peers) == {A, B, OWN}


def test_an_allowed_ip_moves_to_the_last_peer_that_names_it() -> None:  # checklist 38
    bench = configured()

    bench.set(B_LINE, "allowed_ip=10.1.0.0/16", A_LINE, "allowed_ip=10.2.0.0/16", "allowed_ip=10.2.0.0/16")

    assert allowed(bench) == {"a": ["10.2.0.0/16", "fd01::/64"], "b": ["10.1.0.0/16"]}


def test_a_minus_removes_one_allowed_ip_and_only_from_its_owner() -> None:  # checklist 38, 42
    bench = configured()

    bench.set(A_LINE, "allowed_ip=-10.1.0.0/16", "allowed_ip=-10.2.0.0/16", "allowed_ip=-10.77.0.0/16")

    assert allowed(bench) == {"a": ["fd01::/64"], "b": ["10.2.0.0/16"]}


def test_replace_then_add_then_remove_is_done_in_this_order() -> None:
    bench = configured()

    bench.set(
        A_LINE,
        "allowed_ip=10.3.0.0/16",
        "replace_allowed_ips=true",
        "allowed_ip=10.4.0.0/16",
        "allowed_ip=10.5.0.0/16",
        "allowed_ip=-10.4.0.0/16",
        "allowed_ip=10.6.0.0/16",
    )
    assert allowed(bench)["a"] == ["10.5.0.0/16", "10.6.0.0/16"]

    bench.set(A_LINE, "allowed_ip=10.7.0.0/16", "replace_allowed_ips=true", "replace_allowed_ips=true")
    assert allowed(bench)["a"] == []


def test_host_bits_are_masked() -> None:  # checklist 38
    bench = Bench()

    bench.set(A_LINE, "allowed_ip=10.1.2.3/8")

    assert allowed(bench) == {"a": ["10.0.0.0/8"]}


def test_an_equal_set_changes_nothing_and_keeps_every_peer() -> None:
    bench = configured()
    again = [line for line in WHOLE if line != "replace_peers=true"]

    applied = bench.applier.apply(uapi.parse_set(again, bench.device), 2.0)

    assert applied.changes == (c.AddAllowedIp(B, *prefixes("10.2.0.0/16")),)


def test_a_scope_may_be_a_number_or_the_name_of_an_interface() -> None:
    index, name = socket.if_nameindex()[0]
    bench = Bench()

    for scope in (name, str(index)):
        (_, change) = uapi.parse_set([A_LINE, f"endpoint=[fe80::1%{scope}]:51820"], bench.device)
        assert change == c.SetEndpoint(A, Endpoint("fe80::1", 51820, index))


BAD = [
    ("no equals sign", 71),
    ("listen_port=65536", 22),
    ("listen_port=", 22),
    ("listen_port=+1", 22),
    ("listen_port=1_0", 22),
    ("listen_port=" + "0" * 21, 22),
    ("fwmark=4294967296", 22),
    ("fwmark=0x1", 22),
    ("private_key=00", 22),
    ("private_key=" + "g" * 64, 22),
    ("replace_peers=false", 22),
    ("colour=red", 22),
    ("allowed_ip=10.0.0.0/8", 22),
    ("public_key=00", 22),
    (f"{A_LINE}\nlisten_port=1", 22),
    (f"{A_LINE}\nprivate_key={PRIVATE.reveal_hex()}", 22),
    (f"{A_LINE}\nupdate_only=1", 22),
    (f"{A_LINE}\nremove=yes", 22),
    (f"{A_LINE}\npreshared_key={'0' * 63}", 22),
    (f"{A_LINE}\npreshared_key={' ' * 64}", 22),
    (f"{A_LINE}\nendpoint=hub.example.net:51820", 22),
    (f"{A_LINE}\nendpoint=[fe80::1%no-such-link]:51820", 22),
    (f"{A_LINE}\nendpoint=[fe80::1%]:51820", 22),
    (f"{A_LINE}\nendpoint=", 22),
    (f"{A_LINE}\npersistent_keepalive_interval=65536", 22),
    (f"{A_LINE}\npersistent_keepalive_interval=off", 22),
    (f"{A_LINE}\nreplace_allowed_ips=", 22),
    (f"{A_LINE}\nallowed_ip=", 22),
    (f"{A_LINE}\nallowed_ip=-", 22),
    (f"{A_LINE}\nallowed_ip=--10.0.0.0/8", 22),
    (f"{A_LINE}\nallowed_ip=10.0.0.0", 22),
    (f"{A_LINE}\nallowed_ip=10.0.0.0/33", 22),
    (f"{A_LINE}\nallowed_ip=10.0.0.0/08", 22),
    (f"{A_LINE}\nallowed_ip=fe80::1%lo/64", 22),
    (f"{A_LINE}\nprotocol_version=2", 22),
    (f"{A_LINE}\nrx_bytes=1", 22),
    (f"{A_LINE}\npublic_key=zz", 22),
    (f"{A_LINE}\nendpoint", 71),
]


@pytest.mark.parametrize(("bad", "number"), BAD, ids=[bad[-40:] for bad, _ in BAD])
def test_a_bad_set_changes_nothing(bad: str, number: int) -> None:  # checklist 43, 44
    bench = configured()
    before = bench.snapshot()
    good = ["listen_port=5", "fwmark=6", "replace_peers=true"]
    lines = (
        [*good, *bad.split("\n")] if "\n" not in bad else [*good, B_LINE, "allowed_ip=10.1.0.0/16", *bad.split("\n")]
    )

    with pytest.raises(uapi.UapiError) as caught:
        bench.set(*lines)

    assert bench.snapshot() == before
    assert uapi.errno_of(caught.value) == number
    assert uapi.render_reply(uapi.errno_of(caught.value)) == f"errno=-{number}\n\n".encode()
    assert PRIVATE.reveal_hex() not in str(caught.value)


def test_a_port_that_is_taken_changes_nothing_and_is_told_as_such() -> None:  # checklist 43, 44
    bench = configured()
    before = bench.snapshot()
    bench.refusals.start(1)

    with pytest.raises(DriverError) as caught:
        bench.set("fwmark=5", "listen_port=7", "replace_peers=true", B_LINE, "allowed_ip=10.9.0.0/16")

    assert bench.snapshot() == before
    assert uapi.errno_of(caught.value) == 98


def test_each_error_has_its_number() -> None:  # checklist 43
    assert uapi.errno_of(DriverError("x", call="open", os_code=errno.EADDRINUSE)) == 98
    assert uapi.errno_of(DriverError("x", call="sendmsg", os_code=1)) == 5
    assert uapi.errno_of(RefusedError("x")) == 22
    assert uapi.errno_of(InternalError("x")) == 5


BODY = "\n".join(WHOLE).encode() + b"\n"


def apply_or_typed(body: bytes) -> None:
    """A set is done, or it raises its typed error without a secret in it, and nothing has changed."""
    bench = configured()
    before = bench.snapshot()
    try:
        changes = uapi.parse_set(body, bench.device)
    except uapi.UapiError as caught:
        error = str(caught)
    else:
        bench.applier.apply(changes, 2.0)
        return
    assert bench.snapshot() == before
    assert PRIVATE.reveal_hex()[:16] not in error


def test_every_truncation_is_done_or_typed() -> None:
    for end in range(len(BODY)):
        apply_or_typed(BODY[:end])


def test_flipped_bytes_are_done_or_typed() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for index in range(len(BODY)):
        flipped = bytearray(BODY)
        flipped[index] ^= 1 << rng.randrange(8)
        apply_or_typed(bytes(flipped))


_line = st.sampled_from([*WHOLE, OWN_LINE, "remove=true", "allowed_ip=-10.1.0.0/16", "listen_port=0"])


@given(st.lists(_line | st.text(max_size=20), max_size=15))
@settings(deadline=None, max_examples=60)
def test_any_lines_are_done_or_typed(lines: list[str]) -> None:
    apply_or_typed("\n".join(lines).encode())


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_done_or_typed(body: bytes) -> None:
    apply_or_typed(body)


def test_130000_allowed_ips_are_set_and_told() -> None:
    lines = []
    for number in range(10):
        lines += [f"public_key={public_key(str(number)).hex()}", "replace_allowed_ips=true"]
        for index in range(13_000):
            lines.append(f"allowed_ip=10.{number * 8 + (index >> 12)}.{(index >> 4) & 255}.{(index & 15) * 16}/28")
    bench = Bench()

    bench.set(*lines)

    assert sum(line.startswith("allowed_ip=") for line in bench.get()) == 130_000
