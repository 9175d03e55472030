# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_user_right: kept in the host's state, because Wine's LSA only says yes."""

from __future__ import annotations

from wirefleet_wsman.accounts import UnknownAccountError
from wirefleet_wsman.call import Call, ModuleFailedError, Result

FAMILY = "user_rights"
_RIGHTS = frozenset(
    """
    SeAssignPrimaryTokenPrivilege SeAuditPrivilege SeBackupPrivilege SeBatchLogonRight SeChangeNotifyPrivilege
    SeCreateGlobalPrivilege SeCreatePagefilePrivilege SeCreatePermanentPrivilege SeCreateSymbolicLinkPrivilege
    SeCreateTokenPrivilege SeDebugPrivilege SeDelegateSessionUserImpersonatePrivilege SeDenyBatchLogonRight
    SeDenyInteractiveLogonRight SeDenyNetworkLogonRight SeDenyRemoteInteractiveLogonRight
    SeDenyServiceLogonRight SeEnableDelegationPrivilege SeImpersonatePrivilege SeIncreaseBasePriorityPrivilege
    SeIncreaseQuotaPrivilege SeIncreaseWorkingSetPrivilege SeInteractiveLogonRight SeLoadDriverPrivilege
    SeLockMemoryPrivilege SeMachineAccountPrivilege SeManageVolumePrivilege SeNetworkLogonRight
    SeProfileSingleProcessPrivilege SeRelabelPrivilege SeRemoteInteractiveLogonRight SeRemoteShutdownPrivilege
    SeRestorePrivilege SeSecurityPrivilege SeServiceLogonRight SeShutdownPrivilege SeSyncAgentPrivilege
    SeSystemEnvironmentPrivilege SeSystemProfilePrivilege SeSystemtimePrivilege SeTakeOwnershipPrivilege
    SeTcbPrivilege SeTimeZonePrivilege SeTrustedCredManAccessPrivilege SeUndockPrivilege
    """.split()  # noqa: SIM905
)
_DEFAULTS = {
    "SeServiceLogonRight": ["S-1-5-80-0"],
    "SeBackupPrivilege": ["S-1-5-32-544"],
    "SeRestorePrivilege": ["S-1-5-32-544"],
    "SeDebugPrivilege": ["S-1-5-32-544"],
    "SeLoadDriverPrivilege": ["S-1-5-32-544"],
}


def win_user_right(call: Call) -> Result:
    """The accounts that have a right."""
    name, action = str(call.arguments["name"]), str(call.arguments["action"])
    if name not in _RIGHTS:
        raise ModuleFailedError(f"the specified right {name} is not a valid right")
    wanted = [_sid(call, str(user)) for user in call.arguments["users"] or []]
    existing = list(call.host.state.read(FAMILY).get(name, _DEFAULTS.get(name, [])))
    added = [sid for sid in wanted if sid not in existing] if action != "remove" else []
    removed: list[str] = []
    if action == "remove":
        removed = [sid for sid in existing if sid in wanted]
    elif action == "set":
        removed = [sid for sid in existing if sid not in wanted]
    after = [sid for sid in [*existing, *added] if sid not in removed]
    if (added or removed) and not call.check:
        with call.host.state.edit(FAMILY) as state:
            state[name] = after
            if after == _DEFAULTS.get(name, []):
                del state[name]
        call.host.not_shown.add("user right", f"{name}: recorded, not given by Wine")
    names = call.host.accounts.name_of
    return {
        "changed": bool(added or removed),
        "added": [names(sid) for sid in added],
        "removed": [names(sid) for sid in removed],
        "diff": {
            "before": {name: [names(sid) for sid in existing]},
            "after": {name: [names(sid) for sid in after]},
        },
    }


def _sid(call: Call, user: str) -> str:
    try:
        return call.host.accounts.sid_of(user)
    except UnknownAccountError as error:
        raise ModuleFailedError(f"Failed to translate the account '{user}' to a SID") from error
