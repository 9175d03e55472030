# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the hubs agree on, and the changes of it: a state machine without input, output or clocks.

Every hub applies the same commands in the same order and must come to the same result, so a command holds all that its
check depends on: who asks, when, and who the cluster's members are. Nothing is read from the hub that applies it.

A command is a dictionary of texts, numbers and lists:

=============  =====================================================================  ===========================
``op``         fields                                                                 refused
=============  =====================================================================  ===========================
``drain``      ``hub``, ``members``                                                   no hub would be left
``resume``     ``hub``
``revoke``     ``key``, ``who``, ``when_s`` (Unix time), ``reason``, ``members``       too few members would be left
``restore``    ``key``
``place``      ``spoke``, ``hub`` ("" takes the override away)                        a hub that is revoked
``advance``    ``epoch``                                                              an epoch lower than the present
=============  =====================================================================  ===========================

and in all of them ``id``: a command that arrives twice, since its first answer was lost, is applied once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..keys import PublicKey

Json = dict[str, object]

MAX_ENTRIES = 65536
MAX_TEXT = 200
MAX_EPOCH = 2**53
_MAX_MEMBERS = 16
_REMEMBERED = 256


class ChangeRefused(Exception):
    """The command is understood and not possible now; nothing has changed. Not an error of the cluster."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Revocation:
    """who: as the caller said; when_s: Unix time on the hub that was asked."""

    who: str
    when_s: int
    reason: str


@dataclass(frozen=True)
class ClusterView:
    """The replicated state at one moment, for readers. Keys are base64 texts of public keys."""

    epoch: int = 0
    drains: frozenset[str] = frozenset()
    revoked: Mapping[str, Revocation] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Json:
        return {
            "epoch": self.epoch,
            "drains": sorted(self.drains),
            "revoked": [
                {"public_key": key, "who": one.who, "when_s": one.when_s, "reason": one.reason}
                for key, one in sorted(self.revoked.items())
            ],
            "overrides": dict(sorted(self.overrides.items())),
        }


class ClusterState:
    """The state itself; changed by ``apply`` and ``replace`` only. version: grows with every difference."""

    def __init__(self) -> None:
        self.version = 0
        self._epoch = 0
        self._drains: set[str] = set()
        self._revoked: dict[str, Revocation] = {}
        self._overrides: dict[str, str] = {}
        self._answers: OrderedDict[str, Json] = OrderedDict()

    def view(self) -> ClusterView:
        return ClusterView(self._epoch, frozenset(self._drains), dict(self._revoked), dict(self._overrides))

    def apply(self, command: object) -> Json:
        """``{"changed": bool}`` or ``{"refused": message, "hint": ...}``; never raises, whatever the command is."""
        try:
            fields = _Fields(command)
            identity = fields.text("id")
            if identity in self._answers:
                return dict(self._answers[identity])
            operation = _OPERATIONS.get(fields.text("op"))
            if operation is None:
                raise ChangeRefused("this version does not know the command", "upgrade this hub's agent")
            answer: Json = {"changed": operation(self, fields)}
        except ChangeRefused as refusal:
            return {"refused": refusal.message, "hint": refusal.hint}
        if answer["changed"]:
            self.version += 1
        self._answers[identity] = answer
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return dict(answer)

    def would(self, command: object) -> Json:
        """What ``apply`` would answer; changes nothing."""
        copy = ClusterState()
        copy.replace(self.as_json())
        return copy.apply(command)

    def as_json(self) -> Json:
        """All of it, for the snapshot."""
        return self.view().as_json() | {"answers": [[key, answer] for key, answer in self._answers.items()]}

    def replace(self, document: object) -> None:
        """Become what ``as_json`` described. Raises ValueError; nothing has changed then."""
        try:
            fields = _Fields(document)
            epoch = fields.number("epoch", MAX_EPOCH)
            drains = {_key(each) for each in fields.list("drains")}
            revoked: dict[str, Revocation] = {}
            for each in fields.list("revoked"):
                one = _Fields(each)
                who, reason = one.text("who"), one.text("reason")
                revoked[one.key("public_key")] = Revocation(who, one.number("when_s", MAX_EPOCH), reason)
            overrides = {_key(spoke): _key(hub) for spoke, hub in fields.mapping("overrides").items()}
            answers: OrderedDict[str, Json] = OrderedDict()
            for pair in fields.list("answers")[:_REMEMBERED]:
                if not isinstance(pair, list) or len(pair) != 2:
                    raise ChangeRefused("an answer has an id")
                answers[str(pair[0])] = {"changed": bool(pair[1]["changed"])}
        except (ChangeRefused, TypeError, KeyError) as error:
            raise ValueError(f"not a state of the cluster: {error}") from error
        self._epoch, self._drains, self._revoked, self._overrides = epoch, drains, revoked, overrides
        self._answers = answers
        self.version += 1

    # Operations: whether something is different afterwards; ChangeRefused before anything is

    def _drain(self, fields: _Fields) -> bool:
        hub, members = fields.key("hub"), fields.members()
        if hub in self._drains:
            return False
        if not members - self._drains - self._revoked.keys() - {hub}:
            raise ChangeRefused("this is the last hub that is not drained", "resume another hub first")
        self._require_space(self._drains)
        self._drains.add(hub)
        return True

    def _resume(self, fields: _Fields) -> bool:
        hub = fields.key("hub")
        was_drained = hub in self._drains
        self._drains.discard(hub)
        return was_drained

    def _revoke(self, fields: _Fields) -> bool:
        key, members = fields.key("key"), fields.members()
        entry = Revocation(fields.text("who"), fields.number("when_s", MAX_EPOCH), fields.text("reason"))
        if key in self._revoked:
            return False
        left = members - self._revoked.keys() - {key}
        if key in members and len(left) < len(members) // 2 + 1:
            raise ChangeRefused(
                "too few hubs would be left to decide anything, also to take this back", "restore another hub first"
            )
        self._require_space(self._revoked)
        self._revoked[key] = entry
        return True

    def _restore(self, fields: _Fields) -> bool:
        return self._revoked.pop(fields.key("key"), None) is not None

    def _place(self, fields: _Fields) -> bool:
        spoke, hub = fields.key("spoke"), fields.text("hub")
        if not hub:
            return self._overrides.pop(spoke, None) is not None
        _key(hub)
        if hub in self._revoked:
            raise ChangeRefused("this hub is revoked", "restore it first, or take another one")
        if self._overrides.get(spoke) == hub:
            return False
        self._require_space(self._overrides)
        self._overrides[spoke] = hub
        return True

    def _advance(self, fields: _Fields) -> bool:
        epoch = fields.number("epoch", MAX_EPOCH)
        if epoch < self._epoch:
            raise ChangeRefused(f"the epoch is {self._epoch} already, and never goes back", "plan again, then apply")
        is_higher, self._epoch = epoch > self._epoch, epoch
        return is_higher

    @staticmethod
    def _require_space(entries: set[str] | dict[str, Revocation] | dict[str, str]) -> None:
        if len(entries) >= MAX_ENTRIES:
            raise ChangeRefused(f"there are {MAX_ENTRIES} entries already", "take some away first")


_OPERATIONS: Mapping[str, Callable[[ClusterState, _Fields], bool]] = {
    "drain": ClusterState._drain,
    "resume": ClusterState._resume,
    "revoke": ClusterState._revoke,
    "restore": ClusterState._restore,
    "place": ClusterState._place,
    "advance": ClusterState._advance,
}


class _Fields:
    """Checked access to what came from another hub. Raises ChangeRefused."""

    def __init__(self, found: object) -> None:
        if not isinstance(found, dict):
            raise ChangeRefused("not a command")
        self._found: dict[object, object] = found

    def text(self, name: str) -> str:
        value = self._found.get(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
            raise ChangeRefused(f"{name} must be printable text of at most {MAX_TEXT} characters")
        return value

    def number(self, name: str, highest: int) -> int:
        value = self._found.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
            raise ChangeRefused(f"{name} must be a whole number from 0 to {highest}")
        return value

    def key(self, name: str) -> str:
        return _key(self.text(name))

    def members(self) -> set[str]:
        found = self.list("members")
        if not 1 <= len(found) <= _MAX_MEMBERS:
            raise ChangeRefused(f"a cluster has 1 to {_MAX_MEMBERS} members")
        return {_key(each) for each in found}

    def list(self, name: str) -> list[object]:
        value = self._found.get(name)
        if not isinstance(value, list | tuple):
            raise ChangeRefused(f"{name} must be a list")
        return list(value)

    def mapping(self, name: str) -> dict[object, object]:
        value = self._found.get(name)
        if not isinstance(value, dict):
            raise ChangeRefused(f"{name} must be a mapping")
        return value


def _key(text: object) -> str:
    try:
        return str(PublicKey.from_base64(text)) if isinstance(text, str) else _no_key()
    except ValueError:
        return _no_key()


def _no_key() -> str:
    raise ChangeRefused("a public key is 44 base64 characters")
