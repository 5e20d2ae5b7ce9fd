"""What a newcomer meets first: the version, a mistyped command, a terminal beside a pipe, what it would cost."""

from __future__ import annotations

import itertools
import json

import pytest

from tocsin_cli.commands.cost import load_of
from tocsin_cli.commands.deploy import DeployError, _go_back
from tocsin_cli.commands.local import for_people
from tocsin_cli.cost_model import LOADS, tocsin
from tocsin_cli.main import main
from tocsin_cli.package.sam import brief, run_sam
from tocsin_cli.product import version


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tocsin {version()}\n"


def test_a_mistyped_command_suggests_the_one_that_is_meant(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["deplyo"])
    assert caught.value.code == 2
    assert "did you mean deploy?" in capsys.readouterr().err


def test_a_terminal_is_shown_the_page_a_command_and_the_way_out():
    ready = {
        "aws_endpoint": "http://127.0.0.1:1",
        "region": "us-east-1",
        "slack_url": "http://127.0.0.1:2",
        "log_groups": {"backend": "/aws/lambda/backend"},
    }
    text = for_people(ready)
    assert "http://127.0.0.1:2" in text
    assert "aws logs put-log-events" in text
    assert "Ctrl-C" in text


def test_the_way_back_without_a_terminal_says_what_it_needs(tmp_path, monkeypatch):
    folder = tmp_path / ".tocsin" / "before" / "tocsin"
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text("{}", "utf-8")
    (folder / "parameters.json").write_text("{}", "utf-8")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(DeployError, match="give --yes"):
        _go_back(tmp_path, "tocsin", None, ask=True)


SAM = """\
CloudFormation stack changeset
+ Add   Table   AWS::DynamoDB::Table



CloudFormation events from stack operations (refresh every 5.0 seconds)
-------------------------
ResourceStatus   ResourceType
-------------------------
CREATE_IN_PROGRESS   AWS::DynamoDB::Table   IncidentTa   -
                                            ble
CREATE_COMPLETE      AWS::DynamoDB::Table   IncidentTa   -
                                            ble
CREATE_FAILED        AWS::SQS::Queue        NotifyQueu   It exists
                                            e            already
-------------------------
CloudFormation outputs from deployed stack
-------------------------
Key                 TableName
Description         The table with
incidents and alerts
Value               tocsin-Table

-------------------------

Successfully created/updated stack - tocsin
"""


def test_into_a_log_what_goes_well_is_brief_and_what_fails_is_whole():
    said = list(brief(SAM.splitlines()))
    assert "+ Add   Table   AWS::DynamoDB::Table" in said
    assert not [
        line for line in said if "IN_PROGRESS" in line or "CREATE_COMPLETE" in line or line.strip() == "ble"
    ]
    failed = next(number for number, line in enumerate(said) if line.startswith("CREATE_FAILED"))
    assert said[failed + 1].split() == ["e", "already"]
    assert "Value               tocsin-Table" in said
    assert not [line for line in said if "incidents and alerts" in line]
    assert said[-1] == "Successfully created/updated stack - tocsin"
    assert not [pair for pair in itertools.pairwise(said) if pair == ("", "")]


def test_an_error_of_sam_itself_is_never_left_out():
    error = ["Error: Stack could not be found", "Traceback", "  File x", "", "exit"]
    assert list(brief(error)) == error


def test_sam_is_run_without_a_progress_bar_into_a_log_and_its_status_is_kept(tmp_path, monkeypatch, capfd):
    script = tmp_path / "sam"
    script.write_text('#!/bin/sh\nprintf "a\\r\\n"; echo "$@" >&2; exit 3\n')
    script.chmod(0o755)
    monkeypatch.setattr("tocsin_cli.package.sam.sam_command", lambda: str(script))
    assert run_sam(["deploy"], tmp_path, whole=False) == 3
    assert capfd.readouterr().out == "a\ndeploy --no-progressbar\n"


@pytest.mark.parametrize("load", LOADS[:2], ids=lambda load: load.name)
def test_the_cost_of_a_size_in_the_documentation_is_the_documented_one(load):
    mine = load_of(load.gb_a_day, load.log_groups, load.incidents)
    assert sum(tocsin(mine).values()) == pytest.approx(sum(tocsin(load).values()))


def test_more_log_never_costs_less_and_a_stream_begins_where_it_pays():
    sums = [sum(tocsin(load_of(gb, 10, 100)).values()) for gb in (0, 0.1, 1, 10, 100, 900)]
    assert sums == sorted(sums)
    assert load_of(5_000, 10, 100).shards > 0


def test_the_cost_is_said_for_people_and_for_scripts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.toml").write_text(
        '[deploy.parameters]\nDeadLetterQueueNames = ["a", "b", "c"]\n', "utf-8"
    )
    assert main(["cost", "--gb-per-day", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sum"] == pytest.approx(sum(answer["usd_per_month"].values()))
    assert main(["cost"]) == 2
    assert "--gb-per-day" in capsys.readouterr().err


def test_an_unknown_signature_is_suggested(capsys):
    assert main(["preview", "lambda-timout"]) == 1
    assert "did you mean lambda-timeout?" in capsys.readouterr().err


def test_sams_advice_on_its_own_settings_is_left_out():
    said = [
        "\tManaged S3 bucket: aws-sam-cli-managed-default-1",
        "\tAuto resolution of buckets can be turned off by setting resolve_s3=False",
        "",
        "\tFile with same data already exists at eaedf0d3, skipping upload",
        "",
        "\tDeploying with following values",
    ]
    assert list(brief(said)) == ["", "\tDeploying with following values"]
