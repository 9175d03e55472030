#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Whether `make test` can rehearse Windows hosts here; otherwise says why not. In CI it has to: nothing is left out there.
set -u
reason=""
[ "$(id -u)" = 0 ] || reason="it needs root, for namespaces of its own"
[ "$(uname -sm)" = "Linux x86_64" ] || reason="the Windows programs are for x86-64"
[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian 12" ] ||
  reason="it is made for Debian 12: its Wine 8 and its CPython 3.11"
[ "${CI:-}" != true ] || reason=""
[ -z "$reason" ] || { echo "$reason"; exit 1; }
