# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for the setup module: the facts that a Windows Server would give, as far as the rehearsal has them.

The names of facts are the real ones. The distribution says that this is a rehearsal.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from wirefleet_wsman.call import Call, Result

Facts = dict[str, Any]

_MINIMUM = ("date_time", "distribution", "dns", "env", "local", "platform", "powershell_version", "user")
_NETWORK = ("all_ipv4_addresses", "all_ipv6_addresses", "interfaces", "windows_domain", "winrm")
_HARDWARE = ("bios", "memory", "processor", "uptime", "virtual")
_GROUPS = {"min": _MINIMUM, "network": _NETWORK, "hardware": _HARDWARE, "external": ("facter",)}
_GROUPS["all"] = tuple(name for group in list(_GROUPS.values()) for name in group)
_WINDOWS_VERSION = "10.0.20348.0"


def setup(call: Call) -> Result:
    """The facts of the subsets asked for."""
    facts: Facts = {"gather_subset": call.arguments["gather_subset"], "module_setup": True}
    for subset in _wanted(call.arguments["gather_subset"]):
        if subset in _SUBSETS:
            facts.update(_SUBSETS[subset](call))
    return {"changed": False, "ansible_facts": facts}


def _wanted(asked: Any) -> list[str]:
    names = [asked] if isinstance(asked, str) else list(asked or ["all"])
    excluded: set[str] = set()
    explicit: set[str] = set()
    for name in names:
        if name == "!all":
            excluded |= set(_GROUPS["all"]) - set(_MINIMUM)
        elif name.startswith("!"):
            excluded |= set(_GROUPS.get(name[1:], (name[1:],)))
        else:
            explicit |= set(_GROUPS.get(name, (name,)))
    return [name for name in _GROUPS["all"] if name in (set(_GROUPS["all"]) - excluded) | explicit]


def _date_time(_call: Call) -> Facts:
    now = datetime.datetime.now().astimezone()
    utc = now.astimezone(datetime.UTC)
    formats = {
        "date": "%Y-%m-%d", "day": "%d", "hour": "%H", "minute": "%M", "month": "%m", "second": "%S",
        "time": "%H:%M:%S", "tz": "%Z", "tz_offset": "%z", "weekday": "%A", "weekday_number": "%w",
        "weeknumber": "%W", "year": "%Y", "iso8601_basic": "%Y%m%dT%H%M%S%f", "iso8601_basic_short": "%Y%m%dT%H%M%S",
    }  # fmt: skip
    values = {name: now.strftime(text) for name, text in formats.items()}
    return {
        "ansible_date_time": {
            **values,
            "epoch": str(int(time.time())),
            "iso8601": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "iso8601_micro": utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
    }


def _distribution(_call: Call) -> Facts:
    return {
        "ansible_distribution": "Microsoft Windows Server 2022 Standard (rehearsal under Wine)",
        "ansible_distribution_version": _WINDOWS_VERSION,
        "ansible_distribution_major_version": "10",
        "ansible_os_family": "Windows",
        "ansible_os_name": "Microsoft Windows Server 2022 Standard (rehearsal under Wine)",
        "ansible_os_product_type": "server",
        "ansible_os_installation_type": "Server Core",
        "ansible_os_install_date": None,
    }


def _env(call: Call) -> Facts:
    return {"ansible_env": dict(call.host.paths.environment)}


def _platform(call: Call) -> Facts:
    name = call.host.name
    return {
        "ansible_architecture": "64-bit",
        "ansible_architecture2": "x86_64",
        "ansible_domain": "",
        "ansible_fqdn": name,
        "ansible_hostname": name,
        "ansible_kernel": _WINDOWS_VERSION,
        "ansible_machine_id": call.host.accounts.machine_sid,
        "ansible_netbios_name": name,
        "ansible_nodename": name,
        "ansible_owner_contact": "",
        "ansible_owner_name": "",
        "ansible_reboot_pending": False,
        "ansible_system": "Win32NT",
        "ansible_system_description": "rehearsal",
        "ansible_system_vendor": "WireFleet rehearsal",
    }


def _powershell_version(_call: Call) -> Facts:
    return {"ansible_powershell_version": 5}


def _user(call: Call) -> Facts:
    environment = call.host.paths.environment
    return {
        "ansible_user_dir": environment["USERPROFILE"],
        "ansible_user_gecos": "",
        "ansible_user_id": environment["USERNAME"],
        "ansible_user_sid": f"{call.host.accounts.machine_sid}-500",
    }


def _links() -> list[dict[str, Any]]:
    program = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        return []
    shown = subprocess.run([program, "-json", "address", "show"], capture_output=True, check=False, timeout=10)
    return list(json.loads(shown.stdout or b"[]")) if shown.returncode == 0 else []


def _addresses(family: str) -> list[str]:
    return [
        address["local"]
        for link in _links()
        for address in link.get("addr_info", [])
        if address["family"] == family and link.get("link_type") != "loopback"
    ]


def _ip_addresses(_call: Call) -> Facts:
    return {"ansible_ip_addresses": _addresses("inet") + _addresses("inet6")}


def _interfaces(_call: Call) -> Facts:
    return {"ansible_interfaces": [_interface(link) for link in _links() if link.get("link_type") != "loopback"]}


def _interface(link: dict[str, Any]) -> Facts:
    def addresses(family: str) -> list[Facts]:
        return [
            {"address": item["local"], "prefix": str(item["prefixlen"])}
            for item in link.get("addr_info", [])
            if item["family"] == family
        ]

    return {
        "connection_name": link["ifname"],
        "default_gateway": None,
        "dns_domain": None,
        "interface_index": link["ifindex"],
        "interface_name": f"Rehearsal adapter {link['ifname']}",
        "ipv4": addresses("inet"),
        "ipv6": addresses("inet6"),
        "macaddress": str(link.get("address", "")).upper(),
        "mtu": link.get("mtu"),
        "speed": 10000,
    }


def _windows_domain(_call: Call) -> Facts:
    return {
        "ansible_windows_domain": "WORKGROUP",
        "ansible_windows_domain_member": False,
        "ansible_windows_domain_role": "Stand-alone server",
    }


def _memory(_call: Call) -> Facts:
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        "ansible_memtotal_mb": os.sysconf("SC_PHYS_PAGES") * page // 1048576,
        "ansible_memfree_mb": os.sysconf("SC_AVPHYS_PAGES") * page // 1048576,
        "ansible_swaptotal_mb": 0,
        "ansible_pagefiletotal_mb": 0,
        "ansible_pagefilefree_mb": 0,
    }


def _processor(_call: Call) -> Facts:
    count = os.cpu_count() or 1
    return {
        "ansible_processor_count": 1,
        "ansible_processor_cores": count,
        "ansible_processor_threads_per_core": 1,
        "ansible_processor_vcpus": count,
    }


def _uptime(_call: Call) -> Facts:
    seconds = int(time.clock_gettime(time.CLOCK_BOOTTIME))
    booted = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    return {"ansible_uptime_seconds": seconds, "ansible_lastboot": booted.strftime("%Y-%m-%d %H:%M:%SZ")}


def _virtual(_call: Call) -> Facts:
    return {"ansible_virtualization_role": "guest", "ansible_virtualization_type": "wine"}


_SUBSETS: dict[str, Callable[[Call], Facts]] = {
    "date_time": _date_time,
    "distribution": _distribution,
    "env": _env,
    "platform": _platform,
    "powershell_version": _powershell_version,
    "user": _user,
    "all_ipv4_addresses": _ip_addresses,
    "interfaces": _interfaces,
    "windows_domain": _windows_domain,
    "memory": _memory,
    "processor": _processor,
    "uptime": _uptime,
    "virtual": _virtual,
}
