"""The wheel as people install it: an empty folder, no clone, check, demo, deploy onto an embedded cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.model import Severity
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.local_aws.cloud import EmbeddedCloud, Watched

pytestmark = pytest.mark.cloud

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
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
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
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source], check=True)
    (wheel,) = wheels.glob("tocsin-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", site, wheel], check=True)
    return site


@pytest.fixture(scope="module")
def slack():
    with LocalSlack() as slack:
        yield slack


@pytest.fixture(scope="module")
def account(tmp_path_factory, slack):
    with EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded:
        embedded._create_watched(Watched())
        secret = {"bot_token": slack.bot_token, "channel": slack.channel_id}
        embedded.client("secretsmanager").create_secret(Name="tocsin/slack", SecretString=json.dumps(secret))
        yield embedded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def tocsin(installed, folder, account):
    def call(*arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "AWS_ENDPOINT_URL": account.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "PYTHONPATH": str(installed),
        }
        environment.pop("PARAMETERS", None)
        return subprocess.run(
            [sys.executable, "-m", "tocsin_cli.main", *arguments],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return call


def test_in_an_empty_folder_the_installed_command_finds_what_it_carries(tocsin, folder, installed):
    checked = tocsin("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all right" in checked.stderr
    assert list(folder.iterdir()) == [], "a check writes nothing into one's own folder"
    carried = installed / "tocsin_cli" / "files"
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
