# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One module per verb of the command line; each imports what it needs when it runs, so that a small verb is quick."""
