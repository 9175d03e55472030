#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is implemented by the action plugin of the same name; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_service
short_description: Install the agent from a bundle and run it as a service
version_added: 0.1.0
description:
  - Installs the agent beside earlier releases, makes it the active one, and keeps it running.
  - The bundle is copied only if no installed release comes from it. A daemon that runs is restarted only if the
    active release changed.
  - If a new release does not start, the release before is activated and started again, and the task fails.
  - On Windows the controller needs the collections ansible.windows and community.windows, and the host needs nothing.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
  - wirefleet.wireguard.agent
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the active release, whether the agent runs, and what of the service was not as it should be.
options:
  state:
    description:
      - V(present) installs and activates; the daemon is only restarted if it runs another release.
      - V(started), V(stopped) and V(restarted) install, activate, and bring the daemon to this state.
      - V(absent) stops the daemon and removes the service and all releases. Keys and configurations stay unless
        O(purge=true).
    type: str
    choices: [present, started, stopped, restarted, absent]
    default: started
  backend:
    description:
      - V(systemd) installs the agent's own unit and enables its instance for the tunnel,
        C(wirefleet-agent@TUNNEL.service). It needs O(root=/).
      - V(process) lets the agent put itself into the background. Nothing starts it after a reboot; meant for labs and
        containers.
      - V(scm) is the only one on Windows. It defines the service C(wirefleet-TUNNEL) as M(ansible.windows.win_service)
        does. LocalSystem runs it with two privileges, a service SID, delayed start and recovery.
      - V(auto) is V(scm) on Windows, V(systemd) on hosts that systemd has started, if O(root=/), else V(process).
    type: str
    choices: [auto, systemd, process, scm]
    default: auto
  bundle:
    description:
      - Bundle on the controller, as the role P(wirefleet.wireguard.bundle#role) makes it.
      - Required for the first installation. Without it the installed release stays.
    type: path
  python:
    description:
      - Python 3.11 or later on the host, with which a release is installed.
      - Bundles for Windows bring their own.
    type: str
    default: python3
  purge:
    description:
      - With O(state=absent), remove keys, configurations and logs as well.
      - The keys are gone for good then, and the host gets a new identity when it is installed again.
    type: bool
    default: false
notes:
  - On Windows an upgrade also moves the firewall rules that the role P(wirefleet.wireguard.firewall#role) has made.
  - On Windows, if a restart cuts the connection, the task connects again for two minutes and asks how it went.
author:
  - WireFleet (@wirefleet)
"""

EXAMPLES = r"""
- name: The agent is installed and running
  wirefleet.wireguard.tunnel_service:
    tunnel: wf0
    bundle: "{{ bundle_paths.windows }}" # a fact of the role bundle

- name: Nothing of the agent is left
  wirefleet.wireguard.tunnel_service:
    tunnel: wf0
    state: absent
    purge: true
"""

RETURN = r"""
backend:
  description: Backend that was used.
  returned: success
  type: str
release:
  description: Active release after the task; null if there is none.
  returned: success
  type: str
previous_release:
  description: Active release before the task; null if there was none.
  returned: success
  type: str
running:
  description: Whether the agent runs after the task.
  returned: success
  type: bool
program:
  description: On Windows, the program that the active release runs as; else null.
  returned: success
  type: str
error:
  description: What the agent or the action could not do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - Kind of the error, such as V(not_installed), V(not_reachable), V(rolled_back) or V(rollback_failed).
        - On Windows also V(transfer), V(marked_for_deletion), V(service_hangs) and V(in_use).
      type: str
    message:
      description: What is wrong.
      type: str
    path:
      description: The file, key or command which it is about.
      type: str
    hint:
      description: What to do.
      type: str
    errors:
      description: Every single error with the same keys, if there are several at once.
      type: list
      elements: dict
"""
