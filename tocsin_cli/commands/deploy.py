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
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tocsin_cli.command_error import CommandError
from tocsin_cli.commands import doctor
from tocsin_cli.commands.build import build, checked_project
from tocsin_cli.configuration_folder import is_staged
from tocsin_cli.options import add_root
from tocsin_cli.package.sam import run_sam
from tocsin_cli.shown_paths import shown
from tocsin_cli.stack import preflight
from tocsin_cli.stack.description import describe, outputs_of, parameters_of
from tocsin_cli.stack.parameters import (
    declarations,
    effective,
    given_parameters,
    load_template,
    overrides_for_sam,
    samconfig_value,
)
from tocsin_cli.stack.subscription_slots import problems_of_deploy
from tocsin_cli.stack.target import STACK, region_or_environment

KEPT = Path(".tocsin") / "before"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_SAM_STACK = "aws-sam-cli-managed-default"
"""What `sam deploy` keeps its packages in (`resolve_s3`)."""


HEARTBEAT_WITHIN = 360
"""Seconds within which a new stack's first heartbeat comes through: its schedule starts within a minute or two, and
new alarms look at five minutes."""


class DeployError(CommandError):
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
        "--wait",
        type=int,
        default=HEARTBEAT_WITHIN,
        metavar="SECONDS",
        help="after a first deploy, wait so long for the first heartbeat (default: %(default)s; 0 for not at all)",
    )
    parser.add_argument(
        "--project",
        type=Path,
        help="a folder with template.yaml, samconfig.toml and .aws-sam (default: the clone, or what is put together in "
        ".tocsin/build from the configuration)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Deploy, or go back, and examine; 1 where that did not succeed or the stack is not well."""
    project = (
        arguments.project.resolve() if arguments.project else checked_project(arguments.root, arguments.env)
    )
    samconfig = project / "samconfig.toml"
    name = arguments.stack or stack_name(samconfig)
    region = region_or_environment(arguments.region or samconfig_value(samconfig, "region"))
    if arguments.back:
        _go_back(project, name, region, ask=not arguments.yes)
        return _doctor(name, region)
    remove_what_never_was(name, region, ask=not arguments.yes)
    kept = keep_what_runs(project, name, region)
    refuse_what_would_fail(project, name, region, kept=kept)
    if is_staged(project):
        build(project)
    sam_deploy(project, arguments.stack, region, ask=not arguments.yes)
    if not kept and arguments.wait > 0:
        _wait_for_the_first_heartbeat(name, region, arguments.wait)
    print(f"\n{name} is deployed; now the doctor", file=sys.stderr, flush=True)
    if status := _doctor(name, region):
        print(f"tocsin deploy: {_how_to_go_back(project, name, kept=kept)}", file=sys.stderr)
    return status


def stack_name(samconfig: Path) -> str:
    """The stack's name in samconfig.toml, where `sam` looks for it."""
    return str(samconfig_value(samconfig, "stack_name") or STACK)


def remove_what_never_was(name: str, region: str | None, *, ask: bool) -> None:
    """Offer to remove a stack whose first deploy failed: CloudFormation keeps its name and refuses to update it.

    Args:
        name: The stack's name.
        region: Its Region; None for that of the environment.
        ask: Whether somebody is there to be asked; where nobody is, it stays.

    Raises:
        DeployError: It is there and stays.
    """
    cloudformation = _client("cloudformation", region)
    stack = describe(cloudformation, name)
    if stack is None or stack["StackStatus"] not in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}:
        return
    failed = f"the first deploy of {name} failed ({stack['StackStatus']}); nothing runs in it, and it must be removed before the next one"
    command = f"aws cloudformation delete-stack --stack-name {name}"
    if not ask or not sys.stdin.isatty():
        raise DeployError(f"{failed}: {command}")
    if input(f"{failed}. Remove it now? [y/N]: ").strip().lower() not in {"y", "yes"}:
        raise DeployError(f"nothing was changed. To remove it: {command}")
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 2})


def keep_what_runs(project: Path, name: str, region: str | None) -> bool:
    """Keep the template and parameters of the stack as it is now.

    Args:
        project: What is deployed; the way back is kept in the ``.tocsin`` of its configuration.
        name: The stack's name.
        region: Its Region; None for that of the environment.

    Returns:
        Whether there was something to keep: False for a first deploy, and after one that never succeeded.
    """
    cloudformation = _client("cloudformation", region)
    stack, keepable = (
        describe(cloudformation, name),
        {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"},
    )
    if stack is None or stack["StackStatus"] not in keepable:
        return False
    body = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    folder = _kept(project, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "template.yaml").write_text(body if isinstance(body, str) else json.dumps(body), "utf-8")
    (folder / "parameters.json").write_text(json.dumps(parameters_of(stack), indent=2) + "\n", "utf-8")
    return True


def refuse_what_would_fail(project: Path, name: str, region: str | None, *, kept: bool) -> None:
    """Refuse what CloudFormation would refuse half-way, all of it in one list.

    Args:
        project: Where ``template.yaml``, ``samconfig.toml`` and the kept parameters are.
        name: The stack's name.
        region: Its Region; None for that of the environment.
        kept: Whether there are kept parameters of it, which stay where no others are given.

    Raises:
        DeployError: Naming each problem.
        ParametersError: The parameters cannot be read.
    """
    from botocore.exceptions import ClientError

    template = project / "template.yaml"
    declared, given = declarations(template), given_parameters(project, os.environ)
    running = {}
    if kept:
        running = json.loads((_kept(project, name) / "parameters.json").read_text("utf-8"))
    parameters = effective(declared, given, running)
    unknown = {key: value for key, value in given.items() if key not in declared}
    problems = preflight.problems(load_template(template), declared, {**parameters, **unknown})
    try:
        problems += problems_of_deploy(_client("logs", region), parameters, name)
    except ClientError as error:
        print(f"not known whether there is room for subscriptions: {error}", file=sys.stderr)
    if problems:
        raise DeployError("nothing was deployed:\n" + "\n".join(problems))


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
        ParametersError: The parameters cannot be read.
    """
    if not (project / ".aws-sam" / "build" / "template.yaml").is_file():
        raise DeployError("nothing is built: make build")
    arguments = [
        "deploy",
        *(["--stack-name", name] if name else []),
        *(["--region", region] if region else []),
        "--confirm-changeset" if ask else "--no-confirm-changeset",
    ]
    with overrides_for_sam(project, os.environ) as overrides:
        status = run_sam([*arguments, *overrides], project, whole=sys.stdout.isatty())
    if status:
        raise DeployError(
            "`sam deploy` did not deploy; its own words are above. CloudFormation rolls a failed update back by itself"
        )


def _go_back(project: Path, name: str, region: str | None, *, ask: bool) -> None:
    """Deploy the kept template with the kept parameters. Its code is still in sam's bucket."""
    folder = _kept(project, name)
    try:
        body = (folder / "template.yaml").read_text("utf-8")
        parameters: Mapping[str, str] = json.loads((folder / "parameters.json").read_text("utf-8"))
    except FileNotFoundError:
        raise DeployError(f"nothing is kept of {name} in {shown(folder)}: {_by_git(project, name)}") from None
    print(f"back to the template and parameters kept in {shown(folder)}", file=sys.stderr)
    if ask and not sys.stdin.isatty():
        raise DeployError("there is no terminal to ask on: give --yes to go back without a question")
    if ask and input(f"Update {name} with them? [y/N]: ").strip().lower() not in {"y", "yes"}:
        raise DeployError("nothing was changed")
    cloudformation = _client("cloudformation", region)
    bucket = outputs_of(cloudformation.describe_stacks(StackName=_SAM_STACK)["Stacks"][0])["SourceBucket"]
    s3 = _client("s3", region, regional=True)
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


def _kept(project: Path, name: str) -> Path:
    """Where the way back of a stack is kept: beside the configuration, never in what each build puts together again."""
    return (project.parent.parent if is_staged(project) else project) / KEPT / name


def _doctor(name: str, region: str | None) -> int:
    parser = argparse.ArgumentParser()
    doctor.configure(parser)
    given = ["--stack", name, "--no-drift", *(["--region", region] if region else [])]
    return doctor.run(parser.parse_args(given))


def _how_to_go_back(project: Path, name: str, *, kept: bool) -> str:
    advice = f"{name} is deployed, and the doctor finds it broken (above). Fix what it names, or go back: "
    return advice + (
        f"tocsin deploy --back --stack {name}; or {_by_git(project, name)}"
        if kept
        else _by_git(project, name)
    )


def _by_git(project: Path, name: str) -> str:
    last_good = "git switch --detach <the last good commit>"
    if is_staged(project):
        return f"{last_good}, pipx install --force tocsin==<its version>, then tocsin deploy --stack {name}"
    return f"{last_good}, then make deploy STACK={name}"


def _wait_for_the_first_heartbeat(name: str, region: str | None, seconds: int) -> None:
    """Wait until a new stack has proved that its path is open, so that the doctor need not call it unknown."""
    from tocsin.adapters.aws.heartbeat_record import KEY

    stack = _client("cloudformation", region).describe_stacks(StackName=name)["Stacks"][0]
    if parameters_of(stack).get("HeartbeatMinutes", "0") == "0":
        return
    table, dynamodb = outputs_of(stack)["TableName"], _client("dynamodb", region)

    def came() -> bool:
        return "arrived_at" in dynamodb.get_item(TableName=table, Key=KEY).get("Item", {})

    wait_until(came, seconds, say=lambda text: print(text, file=sys.stderr, flush=True))


def wait_until(
    came: Callable[[], bool],
    seconds: float,
    *,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait for the first heartbeat of a new stack, and say every half minute that it is waited for.

    Args:
        came: Whether it has come through.
        seconds: How long to wait at most.
        say: Where progress goes.
        clock: Seconds that only grow.
        sleep: Waits so many seconds.

    Returns:
        Whether it came.
    """
    start = clock()
    said = 0
    say(
        f"waiting for the first heartbeat through the whole path, {seconds:.0f} s at most (it takes a minute or two)"
    )
    while not came():
        passed = clock() - start
        if passed >= seconds:
            say(f"no heartbeat within {seconds:.0f} s; the doctor says how far it came")
            return False
        if passed >= (said + 1) * 30:
            said = int(passed // 30)
            say(f"  {passed:.0f} s: not yet")
        sleep(5)
    say(f"the first heartbeat came through after {clock() - start:.0f} s")
    return True


def _client(service: str, region: str | None, *, regional: bool = False) -> Any:
    import boto3
    from botocore.config import Config

    # Left alone botocore writes addresses at S3's global endpoint, which serves no Region made since 2019. Sam writes
    # its addresses by the path too.
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"}) if regional else None
    return boto3.Session(region_name=region).client(service, config=config)  # type: ignore[call-overload] # one of many, named at run time
