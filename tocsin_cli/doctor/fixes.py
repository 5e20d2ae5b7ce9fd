"""How a deploy is typed where one stands: in a clone by make, from one's own configuration folder by the command."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin.core.config.settings import FILE
from tocsin_cli.product import is_clone


def redeploy() -> str:
    """The command that deploys the stack again."""
    return "make deploy" if _by_make() else "tocsin deploy"


def restore() -> str:
    """How something comes back that the stack had created, and somebody has deleted past it."""
    return f"{redeploy()}, after aws cloudformation detect-stack-drift"


def set_parameter(name: str, *values: str) -> str:
    """How a parameter of the stack is set.

    Args:
        name: The parameter.
        values: Its value, or the values of a list.
    """
    if _by_make():
        return f"sam deploy --parameter-overrides '{name}=\"{','.join(values)}\"'"
    value = json.dumps(list(values)) if len(values) > 1 else json.dumps("".join(values))
    return f"in {FILE} under [deploy.parameters]: {name} = {value}; then tocsin deploy"


def put_secret(name: str) -> str:
    """The command that puts another credential into a Slack secret."""
    return f"aws secretsmanager put-secret-value --secret-id {name} --secret-string file://slack.json"


def _by_make() -> bool:
    return is_clone() and not Path(FILE).is_file()
