"""The wheel as people install it: an empty folder, no clone, check, demo, deploy onto an embedded cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from own_account import run_tocsin

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.model import Severity

pytestmark = [pytest.mark.cloud, pytest.mark.minutes]


class Installed(NamedTuple):
    source: Path
    site: Path


ROOT = Path(__file__).resolve().parents[2]
OWN = """
[override.lambda-timeout]
severity = "low"

[deploy]
stack  = "tocsin"
region = "us-east-1"

[deploy.parameters]
LogGroupNames        = ["/aws/lambda/backend"]
DeadLetterQueueNames = []
AlarmNamePrefixes    = ["backend-"]
GroupWait            = "0s"
WatchDeliveryErrors  = false # the embedded cloud has no alarms with metric maths
SlackApiUrl          = "{api}"

[env.staging]
stack = "tocsin-staging"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built and installed beside nothing of the clone; what it depends on is the suite's own."""
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and (
            not name.startswith(("tests/", "docs/", "benchmarks/")) or name == "docs/evidence.md"
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    return Installed(source, put_into(tmp_path_factory, source))


def put_into(tmp_path_factory, source):
    """Build the wheel of a source folder and install it into a place of its own."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source], check=True)
    (wheel,) = wheels.glob("tocsin-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", site, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def newer(installed, tmp_path_factory):
    """The next version of the wheel, whose pack says otherwise of one signature."""
    project, pack = installed.source / "pyproject.toml", installed.source / "functions/signatures/lambda.toml"
    before = project.read_text("utf-8"), pack.read_text("utf-8")
    head, table, tail = before[1].partition("[lambda-out-of-memory]")
    project.write_text(re.sub(r'(?m)^version = ".*"', 'version = "99.1.0"', before[0]), "utf-8")
    pack.write_text(head + table + re.sub(r'"critical"', '"high"', tail, count=1), "utf-8")
    return put_into(tmp_path_factory, installed.source)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def tocsin(installed, folder, account):
    def call(*arguments, site=installed.site):
        return run_tocsin(account, folder, *arguments, PYTHONPATH=str(site))

    return call


def test_in_an_empty_folder_the_installed_command_finds_what_it_carries(tocsin, folder, installed):
    checked = tocsin("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all right" in checked.stderr
    assert list(folder.iterdir()) == [], "a check writes nothing into one's own folder"
    carried = installed.site / "tocsin_cli" / "files"
    assert (carried / "template.yaml").read_bytes() == (ROOT / "template.yaml").read_bytes()


def test_the_demo_plays_without_a_clone(tocsin, folder):
    played = tocsin("demo")
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    assert (folder / ".tocsin" / "demo.html").is_file()


def test_what_is_deployed_stands_in_the_file_and_the_package_holds_the_override(
    tocsin, folder, account, slack
):
    begun = tocsin("init", "--no-aws", "--yes", "--log-group", "/aws/lambda/backend")
    assert begun.returncode == 0, begun.stderr
    assert tocsin("check").returncode == 0
    (folder / "tocsin.toml").write_text(OWN.format(api=slack.api_url), "utf-8")
    made = tocsin(
        "new",
        "gateway-refused",
        "--from-line",
        "ERROR payment gateway refused order 4711",
        "--severity",
        "high",
    )
    assert made.returncode == 0, made.stderr
    deployed = tocsin("deploy", "--yes", "--wait", "0")
    assert "Successfully created/updated stack - tocsin" in deployed.stdout, deployed.stdout + deployed.stderr
    (stack,) = account.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert parameters["LogGroupNames"] == "/aws/lambda/backend"
    assert not list(folder.glob("signatures/*.json")), "sealing happens in the build folder"
    built = folder / ".tocsin" / "build" / ".aws-sam" / "build" / "DetectFunction" / "signatures"
    assert {"own.toml", "lambda.toml", "compiled.json", "search.json"} <= {
        path.name for path in built.iterdir()
    }

    # The package is for Lambda's Python, so the embedded cloud cannot run it; what it would read is read here.
    shipped = load_configuration(built.parent, {})
    assert shipped.signatures["lambda-timeout"].severity is Severity.LOW
    assert shipped.signatures["gateway-refused"].severity is Severity.HIGH


def test_a_plan_names_resources_and_signatures_that_a_deploy_would_change(tocsin, folder, account):
    nothing = tocsin("plan")
    assert nothing.returncode == 0, nothing.stdout + nothing.stderr
    assert "resources: no changes" in nothing.stdout
    assert "signatures: no changes" in nothing.stdout
    settings = folder / "tocsin.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('severity = "low"', 'severity = "medium"'), "utf-8"
    )
    made = tocsin("new", "stock-negative", "--from-line", "ERROR stock of article 17 is negative")
    assert made.returncode == 0, made.stderr
    before = account.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"][0]
    planned = tocsin("plan")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "  ~ DetectFunction (AWS::Lambda::Function)" in planned.stdout
    assert "  + stock-negative" in planned.stdout
    assert "  ~ lambda-timeout: severity: low, now medium" in planned.stdout
    after = account.client("cloudformation").describe_stacks(StackName="tocsin")["Stacks"][0]
    assert after.get("LastUpdatedTime") == before.get("LastUpdatedTime"), "a plan deploys nothing"
    listed = json.loads(tocsin("signatures", "list", "--json").stdout)["signatures"]
    sources = {row["id"]: row["source"] for row in listed}
    assert (sources["lambda-timeout"], sources["stock-negative"], sources["database-none"]) == (
        "overridden", "own", "pack",
    )  # fmt: skip


def test_a_further_environment_has_its_own_stack(tocsin, account):
    refused = tocsin("deploy", "--yes", "--env", "stagng")
    assert refused.returncode == 1
    assert "did you mean staging?" in refused.stderr


def test_an_upgrade_is_planned_deployed_and_taken_back_without_a_change_in_ones_own_folder(
    tocsin, folder, newer, account
):
    own = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".tocsin" not in path.relative_to(folder).parts
    }
    before = tocsin("plan", "--signatures-only").stdout
    assert "lambda-out-of-memory" not in before
    assert tocsin("--version", site=newer).stdout == "tocsin 99.1.0\n"

    lines = folder / ".tocsin" / "day.log"
    lines.write_text(
        "2026-02-02T00:03:11.201Z RequestId: 1 Error: Runtime exited with error: signal: killed\n", "utf-8"
    )
    planned = tocsin("plan", "--signatures-only", "--markdown", "--backtest", str(lines), site=newer)
    assert planned.returncode == 0, planned.stderr
    assert "- changed `lambda-out-of-memory`: severity: critical, now high" in planned.stdout
    assert "    .tocsin/day.log: 2 messages with stack tocsin, 2 with this" in planned.stdout.replace(
        f"{folder}/", ""
    )

    deployed = tocsin("deploy", "--yes", "--wait", "0", site=newer)
    assert "Successfully created/updated stack" in deployed.stdout, deployed.stdout + deployed.stderr
    assert "signatures: no changes" in tocsin("plan", "--signatures-only", site=newer).stdout
    assert "tocsin deploy --back --stack tocsin" in deployed.stderr
    assert "make " not in deployed.stdout + deployed.stderr, "there is no clone"

    back = tocsin("deploy", "--back", site=newer)
    assert (back.returncode, "--yes" in back.stderr) == (1, True), "without a terminal it says what it needs"
    back = tocsin("deploy", "--back", "--yes", site=newer)
    assert "back to the template and parameters kept in .tocsin/before/tocsin" in back.stderr
    again = tocsin("plan", "--signatures-only", site=newer)
    assert "  ~ lambda-out-of-memory: severity: critical, now high" in again.stdout, again.stderr
    assert tocsin("plan", "--signatures-only").stdout == before, "what ran before, whole"
    assert {path: path.read_bytes() for path in own} == own


def test_a_removed_stack_is_said_to_be_gone(tocsin, account):
    cloudformation = account.client("cloudformation")
    cloudformation.delete_stack(StackName="tocsin")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="tocsin", WaiterConfig={"Delay": 1})
    assert "stack tocsin does not exist: a deploy creates it" in tocsin("plan", "--signatures-only").stdout
    looked = tocsin("doctor")
    assert looked.returncode == 2
    assert "there is no stack tocsin in us-east-1" in looked.stderr


def test_the_doctor_finds_nothing_wrong_with_a_pristine_tocsin_local(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"PYTHONPATH": str(installed.site), "AWS_CONFIG_FILE": os.devnull}
    command = [sys.executable, "-m", "tocsin_cli.main"]
    with subprocess.Popen(
        # No door for `sam local`, whose tests may run beside this.
        [*command, "local", "--sam-port", "0"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
    ) as local:  # fmt: skip
        try:
            assert json.loads(local.stdout.readline())["ready"] is True
            looked = subprocess.run(
                [*command, "doctor", "--local"],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
        finally:
            local.terminate()
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert re.search(r"(?m)^tocsin local: well \(\d+ ok, 0 warnings, 0 failures\)$", looked.stdout), (
        looked.stdout
    )
    assert "not checked: who is notified when Slack cannot be reached" in looked.stdout
    assert not {"WARN", "FAIL"} & set(looked.stdout.split())
