"""What tables look like on a terminal and in a pipe."""

from __future__ import annotations

import pytest
from rich.table import Table
from rich.text import Text

from tocsin_cli.terminal import terminal


@pytest.mark.parametrize("colours", [False, True], ids=["piped", "terminal"])
def test_no_line_of_a_table_ends_with_blanks(capsys, monkeypatch, colours):
    if colours:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    table = Table(box=None, show_header=False)
    table.add_row("opened", Text("short", style="bold red"))
    table.add_row("resolved", Text("a longer one  with two blanks within", style="bold red"))
    terminal().print(table)
    lines = capsys.readouterr().out.splitlines()
    assert "one  with two blanks within" in "".join(lines)
    assert ("\x1b[" in "".join(lines)) is colours
    for line in lines:
        visible = line.removesuffix("\x1b[0m")
        assert visible == visible.rstrip(" "), repr(line)
