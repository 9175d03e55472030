#!/usr/bin/python
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wg_keypair
short_description: Make, keep, rotate or remove a WireGuard key pair
version_added: 0.1.0
description:
  - Keeps an X25519 private key in a file that only its owner can read, or makes one and returns it.
  - Hosts with the agent do not need this. Their keys are born on the host and never leave it, see
    M(wirefleet.wireguard.agent_key). This module is for peers without an agent, and runs where the file shall be, as a
      rule
    on the controller.
extends_documentation_fragment:
  - wirefleet.wireguard.attributes
attributes:
  check_mode:
    support: full
    details: A key that would be made is not made, so RV(public_key) is null.
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) keeps a valid key, makes a missing one, and repairs the mode of the file.
      - V(rotated) makes a new key, each time.
      - V(absent) removes the file.
    type: str
    choices: [present, absent, rotated]
    default: present
  path:
    description:
      - File of the private key, in base64 as C(wg genkey) prints it, with mode C(0600). It is replaced atomically.
      - Missing directories are made for the owner alone. A file that holds something else is an error and stays as it
        is.
      - Without it the key is returned in RV(private_key).
    type: path
  private_key:
    description: An existing private key, to learn its public key without a file.
    type: str
author:
  - WireFleet (@wirefleet)
requirements:
  - PyNaCl
seealso:
  - module: wirefleet.wireguard.wg_preshared_key
  - module: wirefleet.wireguard.agent_key
"""

EXAMPLES = r"""
- name: Router in Oslo has a key pair
  wirefleet.wireguard.wg_keypair:
    path: "{{ inventory_dir }}/secrets/oslo.key"
  delegate_to: localhost
  register: oslo_key

- name: Key is rotated
  wirefleet.wireguard.wg_keypair:
    path: "{{ inventory_dir }}/secrets/oslo.key"
    state: rotated
  delegate_to: localhost

- name: Key pair goes straight to a vault
  wirefleet.wireguard.wg_keypair:
  delegate_to: localhost
  register: new_key
"""

RETURN = r"""
public_key:
  description: The public key in base64. It is null if there is no key, or if check mode did not make it.
  returned: success
  type: str
  sample: "3F0a1P9PmnJBRw9Zxs0Qx2Zl4xXc0wN1lwHn0Z8qKVA="
private_key:
  description:
    - The new private key in base64. A result with it is marked C(no_log), so no callback shows it. A registered
      variable holds it in the memory of the controller.
  returned: when a key was made and O(path) is not given
  type: str
path:
  description: Path of the file.
  returned: when O(path) is given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_states import (
    KeyOutcome,
    describe,
    ensure_as_value,
    ensure_in_file,
    public_text,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import encode_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import SecretFileError
from ansible_collections.wirefleet.wireguard.plugins.module_utils.secret_file import MODE, SecretFile
from ansible_collections.wirefleet.wireguard.plugins.module_utils.x25519 import (
    NACL_IMPORT_ERROR,
    derive_public_key,
    generate_private_key,
)

WHAT = "private key"


def ensure(module: AnsibleModule) -> KeyOutcome:
    """Ask, and act unless in check mode."""
    state, path = module.params["state"], module.params["path"]
    if path:
        return ensure_in_file(SecretFile(path, WHAT), state, generate_private_key, check=module.check_mode)
    return ensure_as_value(module.params["private_key"], state, generate_private_key, WHAT)


def report(module: AnsibleModule, outcome: KeyOutcome) -> dict:
    """The module's result."""
    path = module.params["path"]
    public_key = public_text(outcome.raw, derive_public_key)
    result = {"changed": outcome.is_changed, "public_key": public_key}
    if path:
        result["path"] = path
        if outcome.is_changed and module._diff:
            is_there = module.params["state"] != "absent"
            old_key = public_text(outcome.raw_before, derive_public_key)
            result["diff"] = {
                "before_header": path,
                "after_header": path,
                "before": describe(outcome.raw_before is not None, outcome.mode_before, old_key),
                "after": describe(is_there, MODE, public_key or "(a new key)"),
            }
    elif outcome.is_generated and module.check_mode:
        result["public_key"] = None
    elif outcome.is_generated and outcome.raw is not None:
        result["private_key"] = encode_key(outcome.raw)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "rotated"], "default": "present"},
            "path": {"type": "path"},
            "private_key": {"type": "str", "no_log": True},
        },
        required_if=[("state", "absent", ["path"])],
        mutually_exclusive=[("path", "private_key")],
        supports_check_mode=True,
    )
    if NACL_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("PyNaCl"), exception=NACL_IMPORT_ERROR)
    try:
        outcome = ensure(module)
    except (SecretFileError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**report(module, outcome))


if __name__ == "__main__":
    main()
