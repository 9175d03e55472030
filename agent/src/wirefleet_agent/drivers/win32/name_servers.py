# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The registry and the DNS client of this host; see name_servers.NameServerApi."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import ctypes
import winreg

import pywintypes
import structlog
import win32service

_DNS_CLIENT = "Dnscache"
_SERVICE_CONTROL_PARAMCHANGE = 6

_log = structlog.get_logger(room="drivers")


class RegistryNameServers:
    """See NameServerApi."""

    def write(self, key: str, values: dict[str, str]) -> None:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_SET_VALUE) as opened:
            for name, value in values.items():
                winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, value)

    def tell_dns_client(self) -> None:
        try:
            _control(_DNS_CLIENT, _SERVICE_CONTROL_PARAMCHANGE)
        except pywintypes.error as error:  # it is disabled, or does not run: then it has nothing to forget either
            _log.info("dns_client_not_told", code=error.winerror)
        with contextlib.suppress(OSError, AttributeError):  # a courtesy, which Microsoft has never documented
            ctypes.WinDLL("dnsapi.dll", winmode=0x800).DnsFlushResolverCache()


def _control(name: str, code: int) -> None:
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
    try:
        service = win32service.OpenService(manager, name, win32service.SERVICE_PAUSE_CONTINUE)
        try:
            win32service.ControlService(service, code)
        finally:
            win32service.CloseServiceHandle(service)
    finally:
        win32service.CloseServiceHandle(manager)
