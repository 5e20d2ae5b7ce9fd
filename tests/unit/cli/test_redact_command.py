"""`tocsin redact` shows what people would see of log lines."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tocsin_cli.main import main


@pytest.fixture
def run(monkeypatch, capsys):
    def run(text: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogatepass"))))
        status = main(["redact", *arguments])
        return status, capsys.readouterr().out

    return run


def lines_of(*objects: object) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def test_each_object_is_answered_in_order_with_its_text_and_its_places(run):
    message = "login failed password=blueMonkey.4471"
    status, out = run(lines_of({"message": "fine"}, {"message": message}), "--jsonl", "-")
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"index": 0, "text": "fine", "hidden": []},
        {
            "index": 1,
            "text": "login failed password=[REDACTED:credential]",
            "hidden": [{"rule": "credential", "start": message.index("blue"), "end": len(message)}],
        },
    ]


def test_the_places_tell_what_was_hidden_in_strict_redaction_too(run):
    message = "cannot load Marisol for 3 days"
    _, out = run(lines_of({"message": message}), "--jsonl", "--strict")
    answer = json.loads(out)
    assert answer["text"] == "cannot load … for 3 days"
    assert [(message[find["start"] : find["end"]], find["rule"]) for find in answer["hidden"]] == [
        ("Marisol", "strict")
    ]


@pytest.mark.parametrize(
    "line",
    ["nope", "[1]", '{"no": "message"}', '{"message": 1}', '{"message": "x", "logGroup": 1}', "[" * 100_000],
)
def test_a_line_that_is_no_object_with_a_message_is_said_and_not_quoted(run, line):
    status, out = run(line + "\n" + lines_of({"message": "fine"}), "--jsonl")
    first, second = map(json.loads, out.splitlines())
    assert status == 1
    assert first["index"] == 0
    assert first["text"] == ""
    assert first["error"]
    assert second == {"index": 1, "text": "fine", "hidden": []}


def test_lines_of_text_are_shown_redacted(run, tmp_path):
    file = tmp_path / "app.log"
    file.write_text("password=blueMonkey.4471\nfine Marisol\n", "utf-8")
    assert run("", str(file)) == (0, "password=[REDACTED:credential]\nfine Marisol\n")
    assert run("", str(file), "--strict") == (0, "password=[REDACTED:credential]\nfine …\n")


def test_a_file_that_is_not_there_is_said(run):
    with pytest.raises(SystemExit) as stopped:
        run("", "/nonexistent/app.log")
    assert stopped.value.code == 2


def test_the_rules_and_the_strictness_of_the_configuration_are_used(run, tmp_path):
    (tmp_path / "tocsin.toml").write_text(
        '[services.clinic]\nlog_groups = ["/app/clinic*"]\nredaction = "strict"\n'
        '[redaction]\nstrict = ["/app/records*"]\n'
        '[redaction.keys.badge_code]\nhides = ["badge_code=B-1234 was refused"]\n',
        "utf-8",
    )
    groups = ["/app/clinic-1", "/app/records", "/app/shop"]
    _, out = run(
        lines_of(*({"message": "fine Marisol badge_code=B-1", "logGroup": group} for group in groups)),
        "--jsonl", "--root", str(tmp_path),
    )  # fmt: skip
    texts = [json.loads(line)["text"] for line in out.splitlines()]
    assert texts == ["fine … badge_code=[REDACTED:badge-code]"] * 2 + [
        "fine Marisol badge_code=[REDACTED:badge-code]"
    ]
