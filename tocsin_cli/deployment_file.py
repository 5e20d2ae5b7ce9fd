"""What is deployed, as one's own ``tocsin.toml`` says: ``[deploy]``, and ``[env.<name>]`` over it for further environments.

[deploy]
stack  = "tocsin"
region = "eu-west-1"

[deploy.parameters]
LogGroupNames   = ["/aws/lambda/orders", "/aws/lambda/billing"]
SlackSecretName = "tocsin/slack"

[env.staging]
stack = "tocsin-staging"

[env.staging.parameters]
SlackSecretName = "tocsin/slack-staging"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.core.config.settings import FILE
from tocsin.core.problems import ConfigurationError, Problem, did_you_mean
from tocsin.core.table_reader import TableReader
from tocsin_cli.product import product_root
from tocsin_cli.stack.parameters import declarations, read_overrides, refusals

KEYS = ("stack", "region", "parameters")


@dataclass(frozen=True, slots=True)
class DeploymentFile:
    """What a ``tocsin.toml`` says about one environment.

    Attributes:
        stack: The stack's name; empty where the file does not say.
        region: Its Region; empty where the file does not say.
        parameters: The template's parameters by name, as the file has them: texts, numbers, flags, lists.
        environments: The names of all further environments.
    """

    stack: str = ""
    region: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environments: tuple[str, ...] = ()


def read_deployment(root: Path, environment: str = "") -> DeploymentFile:
    """Read what is deployed.

    Args:
        root: The folder with ``tocsin.toml``.
        environment: The name of a further environment, whose values are laid over those of ``[deploy]``.

    Raises:
        ConfigurationError: With every problem; also where there is no such environment.
    """
    try:
        data = tomllib.loads((root / FILE).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError.of(FILE, "", str(error)) from error
    top = TableReader(FILE, "", data)
    base, tables = top.subtable("deploy"), dict(top.subtable("env").subtables())
    for table in (base, *tables.values()):
        _check(table)
    if environment and environment not in tables:
        known = f"there are {', '.join(tables)}" if tables else "there is none"
        near = did_you_mean(environment, tables)
        top.wrong(f"env.{environment}", f"there is no such environment{near}; {known}")
    if top.problems:
        raise ConfigurationError(tuple(top.problems))
    deployed = base.table
    chosen = tables[environment].table if environment else {}
    return DeploymentFile(
        stack=str(chosen.get("stack", deployed.get("stack", ""))),
        region=str(chosen.get("region", deployed.get("region", ""))),
        parameters={**deployed.get("parameters", {}), **chosen.get("parameters", {})},
        environments=tuple(tables),
    )


def samconfig_with(samconfig: str, deployment: DeploymentFile) -> str:
    """The settings of ``sam``, with what is deployed in them.

    Args:
        samconfig: The content of ``samconfig.toml``.
        deployment: What is deployed.
    """
    lines = []
    if deployment.stack:
        lines.append(f"stack_name = {json.dumps(deployment.stack)}")
    if deployment.region:
        lines.append(f"region = {json.dumps(deployment.region)}")
    if deployment.parameters:
        pairs = [
            f'{name}="{value.replace(chr(34), chr(92) + chr(34))}"'
            for name, value in read_overrides(deployment.parameters).items()
        ]
        lines.append(f"parameter_overrides = {json.dumps(pairs, ensure_ascii=False)}")
    header = "[default.deploy.parameters]\n"
    return samconfig.replace(header, header + "".join(f"{line}\n" for line in lines), 1)


def as_text(value: object) -> str:
    """A parameter's value as CloudFormation takes it."""
    return read_overrides({"": value})[""]


def deployment_problems(root: Path) -> list[Problem]:
    """What is wrong with all environments of a ``tocsin.toml``, and what CloudFormation would refuse of them.

    Args:
        root: The folder with ``tocsin.toml``.
    """
    try:
        environments = read_deployment(root).environments
    except ConfigurationError as error:
        return list(error.problems)
    found: dict[str, Problem] = {}
    for environment in ("", *environments):
        parameters = read_deployment(root, environment).parameters
        if not parameters:
            continue
        for refusal in refusals(declarations(product_root() / "template.yaml"), read_overrides(parameters)):
            name, _, reason = refusal.partition(": ")
            where = f"env.{environment}" if environment else "deploy"
            # What a further environment only takes over is wrong once, where it is written.
            found.setdefault(refusal, Problem(FILE, f"{where}.parameters.{name}", reason))
    return list(found.values())


def _check(table: TableReader) -> None:
    """That a table has only what can be deployed, each of its kind."""
    table.only(KEYS)
    table.subtable("parameters")
    for name in ("stack", "region"):
        value = table.table.get(name, "-")
        if not isinstance(value, str) or not value.strip():
            table.wrong(name, f"must be text, is {value!r}")
