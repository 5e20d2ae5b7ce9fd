"""The preview shows what the Lambdas would send, of every signature, in every form."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from msgspec.structs import replace

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.config.settings import Intervals
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import document_of
from tocsin.core.signatures.signature import UNKNOWN_ERROR, Source, Status, Threshold
from tocsin_cli.commands.preview import REASONS, PreviewError, messages, preview
from tocsin_cli.fake_slack.block_kit import block_problems
from tocsin_cli.main import main

ROOT = Path(__file__).parents[3]
CONFIG = load_configuration(ROOT / "functions", {})
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs" / "notification.schema.json").read_text())
)
"""One for all: a call of ``jsonschema.validate`` examines the schema each time, which costs more than the document."""
NOW = 1_770_000_000_000
BOOM = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


@pytest.mark.parametrize("name", [*CONFIG.signatures, UNKNOWN_ERROR])
def test_every_signature_can_be_looked_at_in_every_part_of_its_life(name):
    alarm_without_growth = []
    for reason in REASONS:
        try:
            notification = preview(CONFIG, name, reason=reason, now=NOW)
        except PreviewError as error:
            alarm_without_growth.append((reason, str(error)))
            continue
        VALIDATOR.validate(document_of(notification))
        assert (notification.reason, notification.alerts[0].signature) == (reason.value, name)
        for mode in ("bot", "webhook"):
            message, reply = messages(notification, mode)
            assert block_problems(message.blocks) == []
            assert reply is None or block_problems(reply.blocks) == []
    source = with_unknown_error(CONFIG.signatures)[name].source
    assert [reason for reason, _ in alarm_without_growth] == ([] if source is Source.LOG else [Reason.UPDATE])
    assert all(f"an {source} has no update" in why for _, why in alarm_without_growth)


def test_a_line_is_told_redacted_and_inert():
    notification = preview(CONFIG, line=f"{BOOM} password=hunter2 <!channel>", now=NOW)
    text = json.dumps(messages(notification, "webhook")[0].blocks)
    assert "hunter2" not in text
    assert "<!channel>" not in text
    assert "mangum" in text


def test_a_line_that_no_signature_knows_is_said():
    with pytest.raises(PreviewError, match="no signature recognises this"):
        preview(CONFIG, line="INFO all is well", now=NOW)


def test_what_is_on_trial_or_has_a_threshold_can_be_looked_at_too():
    rule = CONFIG.signatures["import-module-error"]
    changed = {
        **CONFIG.signatures,
        rule.id: replace(rule, status=Status.TEST, threshold=Threshold(5, 60_000)),
    }
    notification = preview(CONFIG._replace(signatures=changed), rule.id, now=NOW)
    assert notification.incident.count == 5


@pytest.mark.parametrize("reason", REASONS)
def test_a_group_wait_is_waited_for(reason):
    config = CONFIG._replace(settings=replace(CONFIG.settings, intervals=Intervals(group_wait=10 * 60_000)))
    assert preview(config, "import-module-error", reason=reason, now=NOW).reason == reason.value


def test_an_event_file_is_told_as_it_would_be(tmp_path):
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/worker",
        "logStream": "s",
        "subscriptionFilters": [],
        "logEvents": [{"id": "1", "timestamp": NOW, "message": BOOM}],
    }
    data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"awslogs": {"data": data}}))
    assert preview(CONFIG, str(path), now=NOW).service == "worker"


@pytest.mark.parametrize("path", sorted((ROOT / "events").glob("notify-*.json")), ids=lambda path: path.stem)
def test_an_event_for_notify_is_shown_as_it_is(path):
    notification = preview(CONFIG, str(path), now=NOW)
    assert document_of(notification) == json.loads(json.loads(path.read_text())["Records"][0]["body"])
    assert messages(notification, "webhook")[0].blocks


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not an event"),
        ('{"a": 1}', "unknown event"),
        ('{"Records": []}', "nothing in it would be sent"),
    ],
)
def test_a_file_that_is_no_event_is_said(tmp_path, content, reason):
    path = tmp_path / "event.json"
    path.write_text(content)
    with pytest.raises(PreviewError, match=reason):
        preview(CONFIG, str(path), now=NOW)


def test_what_is_neither_signature_nor_file_says_where_all_are_named():
    with pytest.raises(PreviewError, match=r"neither a signature nor a file.*tocsin signatures list"):
        preview(CONFIG, "no-such-thing", now=NOW)


def test_the_answer_as_json_is_block_kit_with_the_reply_in_the_thread(capsys):
    assert main(["preview", "import-module-error", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {
        "text",
        "blocks",
    }  # an incident that opens is its message, and nothing in the thread
    assert main(["preview", "import-module-error", "--json", "--reason", "resolved"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"text", "blocks", "thread"}
    assert main(["preview", "import-module-error", "--json", "--mode", "webhook"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"text", "blocks"}


def test_on_a_terminal_the_message_and_its_thread_are_drawn(capsys):
    assert main(["preview", "import-module-error", "--reason", "resolved"]) == 0
    out = capsys.readouterr().out
    assert "Lambda cannot import its handler" in out
    assert "in the thread" in out


def test_the_page_needs_nothing_but_itself(tmp_path, capsys):
    page = tmp_path / "deep" / "page.html"
    assert main(["preview", "database-none", "--reason", "resolved", "--html", str(page)]) == 0
    text = page.read_text()
    assert "Resolved" in text
    assert "<script" not in text
    assert str(page) in capsys.readouterr().out


def test_whom_it_would_call_is_shown(tmp_path, capsys):
    root = tmp_path / "functions"
    shutil.copytree(ROOT / "functions" / "signatures", root / "signatures")
    routes = "[destinations.default]\nmention = 'S0614TZR7'\n"
    (root / "tocsin.toml").write_text(routes, "utf-8")
    for mode in ("bot", "webhook"):
        assert main(["preview", "import-module-error", "--root", str(root), "--mode", mode, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert "<!subteam^S0614TZR7>" in json.dumps(answer["blocks"])
        assert "subteam" not in json.dumps(answer.get("thread"))


def test_nothing_to_show_is_status_1(capsys):
    assert main(["preview", "--line", "INFO fine"]) == 1
    assert "tocsin preview: no signature" in capsys.readouterr().err


def test_an_update_tells_of_a_storm():
    notification = preview(CONFIG, "lambda-timeout", reason=Reason.UPDATE, now=NOW)
    assert notification.incident.count > 200
