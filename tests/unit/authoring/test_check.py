"""``tocsin check``: what it says, and what it exits with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tocsin_cli.main import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "functions" / "signatures", tmp_path / "functions" / "signatures")
    shutil.copy(ROOT / "functions" / "tocsin.toml", tmp_path / "functions")
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks")
    monkeypatch.chdir(tmp_path / "functions")
    return tmp_path


def check(project: Path, *more: str) -> int:
    return main(["check", "--root", str(project / "functions"), *more])


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / "functions" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_pack_as_it_stands_is_all_right(project, capsys):
    assert check(project) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("signatures/lambda.toml", 'severity     = "critical"', 'severity     = "awful"', "signatures/lambda.toml: import-module-error.severity: must be one of"),
        ("signatures/lambda.toml", '"INFO see https://docs.example.com/errors/Runtime.ImportModuleError"', '"[ERROR] Runtime.ImportModuleError: x"', "signatures/lambda.toml: import-module-error.ignores[0]: is recognised, though it must not be"),
        ("signatures/python.toml", "RuntimeError: Event loop is closed", "INFO Event loop is closed", "signatures/python.toml: event-loop-error.matches[0]: is not recognised (below its level: info < warning)"),
        ("signatures/python.toml", '"RuntimeError: Event loop is closed"', '"nothing of the kind"', "signatures/python.toml: event-loop-error.matches[0]: is not recognised (none of its literals is in it)"),
        ("signatures/lambda.toml", 'inhibits = ["lambda-runtime-exit", "lambda-init-error", ', 'inhibits = ["lambda-init-error", ', "signatures/lambda.toml: lambda-out-of-memory.matches[0]: is also recognised by lambda-runtime-exit; say with inhibits"),
        ("signatures/alarms.toml", '{ alarm = "db-cpu"', '{ alarms = "db-cpu"', "signatures/alarms.toml: database-connections-alarm.ignores[0]: unknown key 'alarms'"),
        ("signatures/alarms.toml", 'title        = "An API answers with server errors"', 'title        = "A CloudWatch alarm"', "signatures/alarms.toml: cloudwatch-alarm.title: is also the title of api-5xx-alarm"),
        ("tocsin.toml", '"5m"', '"5 minutes"', "tocsin.toml: intervals.group_interval: '5 minutes' is not a duration"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_key_and_reason(project, capsys, file, old, new, said):
    edit(project, file, old, new)
    assert check(project) == 1
    lines = [re.sub(r":\d+: ", ": ", line, count=1) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith(said) for line in lines), lines


def test_a_missing_runbook_is_named(project, capsys):
    (project / "runbooks" / "database-none.md").unlink()
    assert check(project) == 1
    assert (
        capsys.readouterr().out
        == "signatures/database.toml:8: database-none.runbook: there is no runbooks/database-none.md\n"
    )


def test_what_is_wrong_is_never_sealed(project):
    compiled = project / "functions" / "signatures" / "compiled.json"
    before = compiled.read_bytes()
    edit(project, "signatures/python.toml", '"RuntimeError: Event loop is closed"', '"nothing"')
    assert check(project) == 1
    assert compiled.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_no_mistake(project, capsys):
    compiled = project / "functions" / "signatures" / "compiled.json"
    compiled.unlink()
    compiled.mkdir()
    assert check(project) == 0
    assert "not compiled" in capsys.readouterr().err


def test_settings_that_are_right_only_with_this_environment_are_refused(project, capsys, monkeypatch):
    edit(project, "tocsin.toml", "group_wait ", 'group_wait = "soon" # ')
    monkeypatch.setenv("TOCSIN_GROUP_WAIT", "1m")
    assert check(project) == 1
    said = capsys.readouterr()
    assert "intervals.group_wait" in said.out
    assert "no build takes it" in said.err


def test_the_schema_is_printed(capsys):
    assert main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Tocsin signatures"


def test_an_unknown_command_is_refused_and_the_known_ones_are_listed(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["chekc"])
    assert caught.value.code == 2
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "filter-pattern" in capsys.readouterr().out
