"""What all tests share: the embedded cloud, and unit tests that cannot reach any network."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

pytest_plugins = ["cloud_fixture", "ledgers"]

UNIT = Path(__file__).parent / "unit"


LAMBDA_IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if (
        item.get_closest_marker("docker")
        and os.environ.get("CI") != "true"
        and (reason := no_lambda_container())
    ):
        pytest.skip(reason)


@functools.cache
def no_lambda_container() -> str:
    """Why no Lambda container can run here; empty when one can."""
    docker = shutil.which("docker")
    if not docker:
        return "Docker is not installed"
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return "the Docker daemon does not answer"
    for action in (["image", "inspect"], ["pull", "--quiet"]):
        if subprocess.run([docker, *action, LAMBDA_IMAGE], capture_output=True, check=False).returncode == 0:
            return ""
    return f"the image {LAMBDA_IMAGE} is neither here nor to be had"


class NetworkBlockedError(Exception):
    """A unit test tried to open a connection."""


@pytest.fixture(autouse=True)
def _no_network_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.path.is_relative_to(UNIT):
        return

    def refuse(*args: object) -> NoReturn:
        raise NetworkBlockedError(f"a unit test must not open a connection: {args[1:]!r}")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
