# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shells and commands without the network."""

from __future__ import annotations

import threading

import pytest
from wirefleet_wsman.shells import (
    Command,
    CommandNotFoundError,
    InputRefusedError,
    QuotaExceededError,
    ShellNotFoundError,
    Shells,
    TooManyShellsError,
)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def command(line="x", *, takes_input=True):
    return Command(line, takes_input=takes_input, environment={}, directory="")


def new_shell(shells, idle_timeout_s=60.0):
    return shells.create(idle_timeout_s=idle_timeout_s, environment={}, directory="")


def test_output_comes_while_the_command_runs():
    running, go_on = command(), threading.Event()

    def body(own):
        own.write("stdout", b"first")
        go_on.wait()
        own.write("stderr", b"last")
        return 7

    running.start(body)

    first = running.take_output(1000, timeout_s=5)
    assert (first.stdout, first.exit_code) == (b"first", None)
    assert running.take_output(1000, timeout_s=0.01) is None
    go_on.set()
    rest = [running.take_output(1000, timeout_s=5)]
    if rest[0].exit_code is None:
        rest.append(running.take_output(1000, timeout_s=5))
    assert b"".join(part.stderr for part in rest) == b"last"
    assert rest[-1].exit_code == 7


def test_much_output_comes_in_pieces_and_the_exit_code_with_the_last():
    running = command()

    def body(own):
        own.write("stdout", b"x" * 2500)
        return 0

    running.start(body)
    pieces = []
    while not pieces or pieces[-1].exit_code is None:
        pieces.append(running.take_output(1000, timeout_s=5))

    assert sum(len(piece.stdout) for piece in pieces) == 2500
    assert max(len(piece.stdout) for piece in pieces) == 1000


def test_a_body_that_raises_ends_with_an_error_and_no_silence():
    running = command()
    running.start(lambda own: 1 // 0)

    output = running.take_output(1000, timeout_s=5)

    assert b"ZeroDivisionError" in output.stderr
    assert running.take_output(1000, timeout_s=5).exit_code == 1 if output.exit_code is None else output.exit_code == 1


def test_input_after_its_end_is_refused():
    running = command()
    running.add_input(b"a", is_last=True)

    with pytest.raises(InputRefusedError):
        running.add_input(b"b", is_last=True)
    assert running.wait_input() == b"a"


def test_a_shell_that_nobody_uses_ends_with_its_commands():
    clock = Clock()
    shells = Shells(clock=clock)
    shell, used = new_shell(shells), new_shell(shells)
    running = command()
    shells.add_command(shell, running)
    clock.now_s += 59
    shells.use(used.shell_id)
    assert shells.end_idle() == []

    clock.now_s += 2

    assert shells.end_idle() == [shell.shell_id]
    assert running.processes.ended.is_set()
    with pytest.raises(ShellNotFoundError):
        shells.use(shell.shell_id)


def test_a_terminated_command_is_forgotten():
    shells = Shells()
    shell, running = new_shell(shells), command()
    shells.add_command(shell, running)

    shells.end_command(shell, running.command_id.lower())

    with pytest.raises(CommandNotFoundError):
        shells.find_command(shell, running.command_id)


def test_the_number_of_shells_and_of_commands_in_a_shells_life_is_limited():
    shells = Shells(max_shells=1, max_commands=1)
    shell = new_shell(shells)
    shells.add_command(shell, command())

    with pytest.raises(TooManyShellsError):
        new_shell(shells)
    with pytest.raises(QuotaExceededError):
        shells.add_command(shell, command())
