"""Unknown errors through the whole stack: announced when they are news, and in one digest while Tocsin learns."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin_cli.commands import errors, new
from tocsin_cli.local_aws.local_tocsin import LocalTocsin
from tocsin_cli.main import main
from tocsin_cli.stack.target import Deployed

PAY = "ERROR payment provider answered 500 for order {}"


@contextlib.contextmanager
def deployed_with(**parameters):
    with LocalTocsin(parameters=parameters) as tocsin:
        logs = tocsin.deployment.client("logs")
        group = tocsin.deployment.log_groups["worker"]
        logs.create_log_stream(logGroupName=group, logStreamName="s")

        def put(*lines):
            logs.put_log_events(
                logGroupName=group, logStreamName="s",
                logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": line} for line in lines],
            )  # fmt: skip

        yield tocsin, put


@pytest.mark.cloud
def test_a_new_error_is_announced_once_listed_and_becomes_a_signature(monkeypatch, capsys):
    with deployed_with(ErrorsLearning="0s") as (tocsin, put):
        put(*(PAY.format(number) for number in range(5)))
        first = tocsin.slack.wait_for(lambda found: len(found) == 1, 30)[0]
        assert "payment provider answered" in json.dumps(first["blocks"])
        put(*(PAY.format(number) for number in range(5, 50)), "INFO fine")
        client, table = tocsin.deployment.client("dynamodb"), tocsin.deployment.table

        @contextlib.contextmanager
        def deployed(_arguments):
            yield Deployed("here", None, table, client)

        for module in (errors, new):
            monkeypatch.setattr(module, "deployed", deployed)
        assert main(["errors", "--json"]) == 0
        (error,) = json.loads(capsys.readouterr().out)["errors"]
        assert (error["service"], error["state"]) == ("worker", "new")
        assert error["template"] == "ERROR payment provider answered <*> for order <*>"
        assert main(["new", "--from-error", error["id"][:6], "--dry-run"]) == 0
        assert "[payment-provider-answered-for]" in capsys.readouterr().out
        assert len(ErrorTable(client, table).of_service("worker")) == 1
        assert len(tocsin.slack.messages()) == 1


@pytest.mark.cloud
def test_while_tocsin_learns_new_errors_are_told_in_one_digest():
    with deployed_with(DigestInterval="5s", ErrorsLearning="8s") as (tocsin, put):
        put(PAY.format(1), "ERROR no stock", PAY.format(2))
        first = tocsin.slack.wait_for(lambda found: len(found) == 1, 30)[0]
        assert first["text"] == "🧪 2 unknown errors · seen 3 times"
        shown = json.dumps(first["blocks"], ensure_ascii=False)
        assert "no stock" in shown
        assert "New, seen while Tocsin was learning" in shown
