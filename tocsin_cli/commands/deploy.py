"""Deploy what `tocsin build` left: the change set is shown, the deployed stack examined, the way back kept.

Before a deploy the template and the parameters that run now are kept in `.tocsin/before`; `--back` deploys them again.
From one's own configuration folder it builds first, and what is deployed stands in tocsin.toml: `[deploy]`, and
`[env.NAME]` over it with `--env NAME`. In a clone parameters come from samconfig.toml. Either is replaced by the environment
variable PARAMETERS (in the form of `sam deploy --parameter-overrides`), and what nobody gives stays as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tocsin_cli.commands import doctor
from tocsin_cli.commands.build import build, checked_project
from tocsin_cli.configuration_folder import is_staged
from tocsin_cli.deployment_file import read_deployment
from tocsin_cli.options import add_root
from tocsin_cli.package.sam import BuildError, sam_command
from tocsin_cli.stack.subscription_slots import problems_of_deploy
from tocsin_cli.stack.target import STACK, region_or_environment

KEPT = Path(".tocsin") / "before"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_SAM_STACK = "aws-sam-cli-managed-default"
"""What `sam deploy` keeps its packages in (`resolve_s3`)."""


class DeployError(Exception):
    """Nothing was deployed, or what was deployed is not well; the message says what to do."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--env", default="", metavar="NAME", help="a further environment of tocsin.toml: [env.NAME]"
    )
    parser.add_argument(
        "--stack", metavar="NAME", help="the stack's name (default: that in tocsin.toml or samconfig.toml)"
    )
    parser.add_argument("--region", help="its Region (default: that of the environment)")
    parser.add_argument("--yes", action="store_true", help="show the change set and do not ask")
    parser.add_argument(
        "--back", action="store_true", help="deploy again what ran before the last deploy from here"
    )
    parser.add_argument(
        "--project",
        type=Path,
        help="a folder with template.yaml, samconfig.toml and .aws-sam (default: the clone, or what is put together in "
        ".tocsin/build from the configuration)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Deploy, or go back, and examine; 1 where that did not succeed or the stack is not well."""
    try:
        project = (
            arguments.project.resolve()
            if arguments.project
            else checked_project(arguments.root, arguments.env)
        )
        said = "" if arguments.project else read_deployment(arguments.root, arguments.env).region
    except BuildError as error:
        print(f"tocsin deploy: {error}", file=sys.stderr)
        return 1
    name = arguments.stack or stack_name(project / "samconfig.toml")
    region = region_or_environment(arguments.region or said)
    try:
        if arguments.back:
            _go_back(project, name, region, ask=not arguments.yes)
            return _doctor(name, region)
        kept = keep_what_runs(project, name, region)
        refuse_without_room(project, name, region, kept=kept)
        if is_staged(project):
            build(project)
        sam_deploy(project, arguments.stack, region, ask=not arguments.yes)
    except (DeployError, BuildError) as error:
        print(f"tocsin deploy: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not any(base.__module__.startswith("botocore.") for base in type(error).__mro__):
            raise
        print(f"tocsin deploy: {error}", file=sys.stderr)
        return 1
    print(f"\n{name} is deployed; now the doctor", file=sys.stderr, flush=True)
    if status := _doctor(name, region):
        print(f"tocsin deploy: {_how_to_go_back(name, kept=kept)}", file=sys.stderr)
    return status


def stack_name(samconfig: Path) -> str:
    """The stack's name in samconfig.toml, where `sam` looks for it."""
    try:
        settings = tomllib.loads(samconfig.read_text("utf-8")).get("default", {})
    except OSError:
        return STACK
    for command in ("deploy", "global"):
        if name := settings.get(command, {}).get("parameters", {}).get("stack_name"):
            return str(name)
    return STACK


def keep_what_runs(project: Path, name: str, region: str | None) -> bool:
    """Keep the template and parameters of the stack as it is now.

    Args:
        project: Where ``.tocsin`` is.
        name: The stack's name.
        region: Its Region; None for that of the environment.

    Returns:
        Whether there was something to keep: False for a first deploy, and after one that never succeeded.
    """
    from botocore.exceptions import ClientError

    cloudformation = _client("cloudformation", region)
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return False
        raise
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
        return False
    body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    folder = project / KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "template.yaml").write_text(body if isinstance(body, str) else json.dumps(body), "utf-8")
    parameters = {
        each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", ())
    }
    (folder / "parameters.json").write_text(json.dumps(parameters, indent=2) + "\n", "utf-8")
    return True


def refuse_without_room(project: Path, name: str, region: str | None, *, kept: bool) -> None:
    """Refuse what CloudFormation would find out half-way: log groups that are missing or have no room for a subscription.

    Args:
        project: Where ``samconfig.toml`` and the kept parameters are.
        name: The stack's name.
        region: Its Region; None for that of the environment.
        kept: Whether there are kept parameters of it, which stay where no others are given.

    Raises:
        DeployError: Naming each log group.
    """
    from botocore.exceptions import ClientError

    parameters: dict[str, str] = {}
    if kept:
        parameters |= json.loads((project / KEPT / name / "parameters.json").read_text("utf-8"))
    parameters |= _given_parameters(project / "samconfig.toml")
    try:
        problems = problems_of_deploy(_client("logs", region), parameters, name)
    except ClientError as error:
        print(f"not known whether there is room for subscriptions: {error}", file=sys.stderr)
        return
    if problems:
        raise DeployError("nothing was deployed:\n" + "\n".join(problems))


def _given_parameters(samconfig: Path) -> dict[str, str]:
    """Parameters as ``sam deploy`` will take them: PARAMETERS, or else those of samconfig.toml."""
    given: object = os.environ.get("PARAMETERS", "").strip()
    if not given and samconfig.is_file():
        settings = tomllib.loads(samconfig.read_text("utf-8")).get("default", {})
        given = settings.get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
    text = " ".join(map(str, given)) if isinstance(given, list) else str(given)
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError:
        return {}  # sam says what is wrong with it
    return {key: value for key, _, value in pairs}


def sam_deploy(project: Path, name: str | None, region: str | None, *, ask: bool) -> None:
    """Let sam show the change set and deploy it.

    Args:
        project: Where ``samconfig.toml`` and ``.aws-sam`` are.
        name: The stack's name; None for that in ``samconfig.toml``.
        region: Its Region; None for that of the environment.
        ask: Whether it asks before it deploys.

    Raises:
        DeployError: It failed, or somebody said no.
        BuildError: There is no SAM CLI.
    """
    if not (project / ".aws-sam" / "build" / "template.yaml").is_file():
        raise DeployError("nothing is built: make build")
    arguments = [
        "deploy",
        *(["--stack-name", name] if name else []),
        *(["--region", region] if region else []),
        "--confirm-changeset" if ask else "--no-confirm-changeset",
    ]
    if given := os.environ.get("PARAMETERS", "").strip():
        arguments += ["--parameter-overrides", given]
    if _run_sam([sam_command(), *arguments], project, whole=sys.stdout.isatty()):
        raise DeployError(
            "`sam deploy` did not deploy; its own words are above. CloudFormation rolls a failed update back by itself"
        )


_EVENTS, _OUTPUTS, _END = "CloudFormation events from", "CloudFormation outputs from", "Successfully"


def brief(lines: Iterable[str]) -> Iterator[str]:
    """What `sam deploy` says, without the events of what goes well, and without the outputs' descriptions.

    Args:
        lines: Its output. A row of a table whose cells are too long goes on in lines that begin with a blank or, of outputs,
            with none of a row's names; they share the row's fate.
    """
    part, shown, blank = "", True, False
    for line in lines:
        text = line.rstrip()
        if text.startswith((_EVENTS, _OUTPUTS, _END)):
            part, shown = text, True
        elif part.startswith(_EVENTS) and text and not text[0].isspace():
            shown = text.startswith("-") or "FAILED" in text or "ROLLBACK" in text or " " not in text.strip()
        elif part.startswith(_OUTPUTS) and re.match(r"(Key|Description|Value) ", text):
            shown = not text.startswith("Description")
        if (shown and text) or (not text and not blank and not part.startswith((_EVENTS, _OUTPUTS))):
            yield text
        blank = not text


def _run_sam(command: list[str], project: Path, *, whole: bool) -> int:
    """Run sam; into a log, without its progress bar and without the events of what has only begun.

    Returns:
        Its exit status.
    """
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    if whole:
        return subprocess.run(command, cwd=project, env=environment, check=False).returncode
    with subprocess.Popen(
        [*command, "--no-progressbar"], cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, encoding="utf-8", errors="replace",
    ) as running:  # fmt: skip
        for line in brief(running.stdout or ()):
            print(line, flush=True)
    return running.returncode


def _go_back(project: Path, name: str, region: str | None, *, ask: bool) -> None:
    """Deploy the kept template with the kept parameters. Its code is still in sam's bucket."""
    folder = project / KEPT / name
    try:
        body = (folder / "template.yaml").read_text("utf-8")
        parameters: Mapping[str, str] = json.loads((folder / "parameters.json").read_text("utf-8"))
    except FileNotFoundError:
        raise DeployError(f"nothing is kept of {name} in {folder}: {_by_git(name)}") from None
    print(f"back to the template and parameters kept in {folder}", file=sys.stderr)
    if ask and not sys.stdin.isatty():
        raise DeployError("there is no terminal to ask on: give --yes to go back without a question")
    if ask and input(f"Update {name} with them? [y/N]: ").strip().lower() not in {"y", "yes"}:
        raise DeployError("nothing was changed")
    cloudformation = _client("cloudformation", region)
    outputs = cloudformation.describe_stacks(StackName=_SAM_STACK)["Stacks"][0]["Outputs"]
    bucket = next(each["OutputValue"] for each in outputs if each["OutputKey"] == "SourceBucket")
    s3 = _client("s3", region)
    key = f"{name}/back.template"
    # By its address: in the call itself a template may have 51,200 bytes at most.
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    address = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}).partition("?")[0]
    try:
        cloudformation.update_stack(
            StackName=name,
            TemplateURL=address,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=_CAPABILITIES,
        )
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        print(f"{name} is what was kept already", file=sys.stderr)
        return
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 2})


def _doctor(name: str, region: str | None) -> int:
    parser = argparse.ArgumentParser()
    doctor.configure(parser)
    given = ["--stack", name, "--no-drift", *(["--region", region] if region else [])]
    return doctor.run(parser.parse_args(given))


def _how_to_go_back(name: str, *, kept: bool) -> str:
    told = f"{name} is deployed, and the doctor finds it broken (above). Mend what it names, or go back: "
    return told + (f"tocsin deploy --back --stack {name}; or {_by_git(name)}" if kept else _by_git(name))


def _by_git(name: str) -> str:
    return f"git switch --detach <the last good commit>, then make deploy STACK={name}"


def _client(service: str, region: str | None) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    import boto3

    return boto3.Session(region_name=region).client(service)  # type: ignore[call-overload] # one of many, named at run time
