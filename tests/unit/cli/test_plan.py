"""``tocsin plan``: what would change, against a git reference, and as a comment on a pull request."""

from __future__ import annotations

import subprocess

import pytest

from tocsin_cli.main import main

SIGNATURE = """\
[gateway-refused]
title = "The gateway refused an order"
severity = "high"
summary = "Orders of {service} are not paid: `{code}`."
first_action = "Look at `the ``` status` page."
runbook = "gateway-refused.md"
any = ['''gateway refused order (?P<code>\\d+)''']
matches = ["ERROR payment gateway refused order 1"]
ignores = ["INFO gateway fine"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("signatures", "runbooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "tocsin.toml").write_text("[pack]\n", "utf-8")
    (tmp_path / "signatures" / "own.toml").write_text(SIGNATURE, "utf-8")
    (tmp_path / "runbooks" / "gateway-refused.md").write_text("# x\n", "utf-8")
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "before"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_changed_says_so(folder, capsys):
    assert main(["plan", "--changed-since", "HEAD"]) == 0
    assert "signatures: no changes" in capsys.readouterr().out


def test_added_changed_and_removed_signatures_and_settings_are_named(folder, capsys):
    second = (
        SIGNATURE.replace("gateway-refused]", "gateway-slow]")
        .replace("refused", "slow")
        .replace("slow.md", "refused.md")
    )
    (folder / "signatures" / "own.toml").write_text(second, "utf-8")
    (folder / "tocsin.toml").write_text(
        '[override.lambda-timeout]\nseverity = "low"\n[intervals]\ngroup_interval = "9m"\n', "utf-8"
    )
    assert main(["plan", "--changed-since", "HEAD"]) == 0
    out = capsys.readouterr().out
    assert "  + gateway-slow\n" in out
    assert "  ~ lambda-timeout: severity: critical, now low\n" in out
    assert "  - gateway-refused\n" in out
    assert "  ~ intervals changed" in out


def test_the_comment_shows_the_message_and_nothing_in_it_ends_its_block(folder, capsys):
    (folder / "signatures" / "own.toml").write_text(SIGNATURE.replace('"high"', '"low"'), "utf-8")
    assert main(["plan", "--changed-since", "HEAD", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "- changed `gateway-refused`: severity: high, now low" in lines
    fences = [line for line in lines if line.startswith("```")]
    assert len(fences) == 2
    assert any("The gateway refused an order" in line for line in lines)


def test_a_comment_with_a_backtest_says_in_a_block_what_the_lines_of_a_file_would_have_told(folder, capsys):
    line = "ERROR payment gateway refused order 7 <b>](https://example.com) ```"
    (folder / "day.log").write_text(f"2026-02-02T00:03:11.201Z {line}\n", "utf-8")
    (folder / "signatures" / "own.toml").write_text(
        SIGNATURE.replace('"high"', '"high"\nstatus = "test"'), "utf-8"
    )
    assert main(["plan", "--changed-since", "HEAD", "--markdown", "--backtest", "day.log"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("    day.log: 2 messages with HEAD, 0 with this")
    assert lines[start - 1] == "", "four blanks are a block only after an empty line"
    assert any("The gateway refused an order" in each for each in lines[start:])
    assert all(each.startswith("    ") for each in lines[start:]), "nothing in it is read as Markdown"


def test_what_cannot_be_replayed_is_said_before_anything_is_done(folder, capsys):
    assert main(["plan", "--changed-since", "HEAD", "--backtest", "dya.log"]) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert "there is no file dya.log" in said
    assert main(["plan", "--changed-since", "HEAD", "--backtest", "7d"]) == 1
    assert "LogGroupNames" in capsys.readouterr().err


def test_a_reference_that_is_none_is_said(folder, capsys):
    assert main(["plan", "--changed-since", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
