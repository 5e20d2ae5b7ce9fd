"""This process's environment: AWS, a running ``tocsin local``, or nothing at all (a dry run)."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Protocol


class LambdaContext(Protocol):
    """What Lambda says of an invocation (Lambda Developer Guide, "AWS Lambda context object in Python").

    Attributes:
        aws_request_id: Unique for the invocation; a retry has the same.
    """

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends it."""


def environment() -> MutableMapping[str, str]:
    """This process's environment, with its place in a running ``tocsin local`` where it has one.

    Under ``sam local invoke`` (which sets ``AWS_SAM_LOCAL``) the function joins the cloud of a ``tocsin
    local`` on the same machine, or else becomes a dry run: a local try never reaches an AWS account.
    """
    if os.environ.get("AWS_SAM_LOCAL") == "true":
        from tocsin.adapters.sam_local import join_local_cloud

        join_local_cloud(os.environ)
    return os.environ


def is_dry_run(environ: Mapping[str, str]) -> bool:
    """Whether to say what would be done, and touch nothing: ``TOCSIN_DRY_RUN`` says so."""
    return environ.get("TOCSIN_DRY_RUN", "").lower() in ("1", "true", "yes", "on")
