"""``tocsin match`` and ``tocsin explain`` as others script against them."""

from __future__ import annotations

import io
import json
import shlex
import sys
from itertools import islice
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin_cli.commands.match import answers
from tocsin_cli.main import main

CONFIGURATION = load_configuration(Path(__file__).parents[3] / "functions", {})
NONE = 'FATAL: database "None" does not exist'


def run(monkeypatch, capsys, data: bytes, *arguments: str) -> tuple[int, list[str]]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
    status = main(list(arguments))
    return status, capsys.readouterr().out.splitlines()


def test_one_answer_per_line_in_order(monkeypatch, capsys):
    events = [
        {"message": "fine"},
        {"message": NONE, "logGroup": "/aws/lambda/worker", "timestamp": 1},
        {"message": ""},
    ]
    data = "".join(json.dumps(event) + "\n" for event in events).encode()
    status, lines = run(monkeypatch, capsys, data, "match", "--jsonl", "-")
    assert status == 0
    assert lines == [
        '{"index": 0, "matches": []}',
        '{"index": 1, "matches": [{"signature": "database-none", "fields": {"what": "database"}}]}',
        '{"index": 2, "matches": []}',
    ]


def test_an_error_that_no_signature_explains_is_answered_with_its_template(monkeypatch, capsys):
    data = json.dumps({"message": "ERROR payment provider answered 500"}).encode()
    _, lines = run(monkeypatch, capsys, data, "match", "--jsonl", "-")
    assert json.loads(lines[0])["matches"] == [
        {"signature": "unknown-error", "fields": {"template": "ERROR payment provider answered <*>"}}
    ]


def test_people_are_shown_what_nothing_recognises_and_a_command_for_it(monkeypatch, capsys):
    data = b"ERROR order 17 lost\nERROR order 18 lost\nfine\nERROR no stock, it's gone\n"
    _, lines = run(monkeypatch, capsys, data, "match", "-")
    assert "3 lines at error or worse that no signature explains; the most frequent:" in lines
    assert "        2 × ERROR order <*> lost" in lines
    command = next(line for line in lines if "tocsin new order-lost" in line)
    assert shlex.split(command)[-1] == "ERROR order 17 lost"


def test_scripts_get_the_same_as_one_object(monkeypatch, capsys):
    data = b"ERROR order 17 lost\nERROR order 18 lost\nfine\n"
    _, lines = run(monkeypatch, capsys, data, "match", "--json", "-")
    answer = json.loads("\n".join(lines))
    assert (answer["lines"], answer["recognised"], answer["unexplained"]["lines"]) == (3, 0, 2)
    assert answer["unexplained"]["templates"][0]["template"] == "ERROR order <*> lost"


def test_nothing_is_said_of_unknown_errors_where_there_are_none(monkeypatch, capsys):
    _, lines = run(monkeypatch, capsys, b"fine\n", "match", "-")
    assert lines == ["0 of 1 lines recognised"]


def test_an_unknown_error_is_explained_as_one(capsys):
    assert main(["explain", "--json", "ERROR order 17 lost"]) == 0
    verdict = json.loads(capsys.readouterr().out)["verdicts"][0]
    assert (verdict["signature"], verdict["outcome"]) == ("unknown-error", "matched")


def test_a_bad_line_is_answered_in_its_place_and_remembered(monkeypatch, capsys):
    bad = [
        b"nonsense",
        b"[]",
        b"{}",
        b'{"message": 5}',
        b'{"message": "x", "logGroup": 5}',
        b'{"message": "x", "timestamp": "1"}',
        b"",
        b"\xff",
    ]
    status, lines = run(
        monkeypatch,
        capsys,
        b"\n".join([*bad, json.dumps({"message": NONE}).encode()]),
        "match",
        "--jsonl",
        "-",
    )
    answered = [json.loads(line) for line in lines]
    assert status == 1
    assert [answer["index"] for answer in answered] == list(range(len(bad) + 1))
    assert all(answer["error"] and answer["matches"] == [] for answer in answered[:-1])
    assert answered[-1]["matches"][0]["signature"] == "database-none"


def test_a_file_is_read(tmp_path, capsys):
    (tmp_path / "lines.jsonl").write_text(json.dumps({"message": NONE}) + "\n", "utf-8")
    assert main(["match", "--jsonl", str(tmp_path / "lines.jsonl")]) == 0
    assert "database-none" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["match", "--jsonl", str(tmp_path / "nothing")])
    assert caught.value.code == 2
    assert "No such file" in capsys.readouterr().err


def test_lines_are_answered_as_they_come():
    def endless():
        while True:
            yield b'{"message": "x"}\n'

    assert [answer["index"] for answer in islice(answers(CONFIGURATION, endless()), 3)] == [0, 1, 2]


def test_what_cannot_be_written_does_not_stop_the_stream(monkeypatch, capsys):
    data = b'{"message": "FATAL: database \\"x\\ud800y\\" does not exist"}\n'
    status, lines = run(monkeypatch, capsys, data, "match", "--jsonl", "-")
    assert status == 0
    assert json.loads(lines[0])["matches"][0]["fields"] == {"database": "x?y"}


def test_people_see_what_matched(monkeypatch, capsys):
    status, lines = run(monkeypatch, capsys, f"fine\n{NONE}\n".encode(), "match")
    assert status == 0
    assert any(line.startswith("2: database-none") for line in lines)
    assert lines[-1] == "1 of 2 lines recognised"


def test_a_pasted_traceback_is_one_event_when_asked(monkeypatch, capsys):
    data = b"Traceback (most recent call last):\n  File \"/var/task/a.py\", line 1, in f\nKeyError: 'x'\n"
    _, lines = run(monkeypatch, capsys, data, "match", "--whole")
    assert lines[-1] == "1 of 1 lines recognised"


def test_markup_in_a_log_line_is_shown_as_it_is(monkeypatch, capsys):
    _, lines = run(monkeypatch, capsys, f"[bold red]{NONE}[/] [link=x]".encode(), "match")
    assert any("[bold red]" in line and "[link=x]" in line for line in lines)


def test_explain_says_why(capsys):
    assert main(["explain", NONE, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {verdict["signature"]: verdict["outcome"] for verdict in answer["verdicts"]}[
        "database-none"
    ] == "matched"
    assert main(["explain", "INFO " + NONE]) == 3
    assert "below its level" in " ".join(capsys.readouterr().out.split())
