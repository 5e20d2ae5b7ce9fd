"""What all tests share: the embedded cloud, and unit tests that cannot reach any network."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import is_hypothesis_test, settings
from hypothesis.database import DirectoryBasedExampleDatabase

pytest_plugins = ["built_package", "cloud_fixture", "ledgers", "own_account"]

UNIT = Path(__file__).parent / "unit"

EXAMPLES = Path(__file__).parents[1] / ".hypothesis" / "examples"
"""What a search found stays here and is tried first the next time; a workflow keeps it from night to night."""

ORDINARY = settings.get_profile("default").max_examples
"""Against how many examples a test's own ``max_examples`` is meant: a slow test asks for fewer, of any profile."""

# Each value is said: where CI=true hypothesis begins from a profile of its own, which draws the same each time.
settings.register_profile(
    "nightly", settings.get_profile("default"), max_examples=50 * ORDINARY, derandomize=False, deadline=None,
    database=DirectoryBasedExampleDatabase(EXAMPLES), print_blob=True,
)  # fmt: skip
PROFILE = os.environ.get("HYPOTHESIS_PROFILE")
if PROFILE:
    settings.load_profile(PROFILE)


LAMBDA_IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Files of minutes go first: the others then fill the workers to the end.
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)
    if PROFILE:
        most = settings.get_profile(PROFILE).max_examples
        for function in {getattr(item.obj, "__func__", item.obj) for item in items}:
            if is_hypothesis_test(function):
                search_longer(function, most)


def search_longer(function: Callable[..., object], most: int) -> None:
    """Let a test that pins ``max_examples`` take of a profile's the part that it takes of the ordinary ones.

    A test's own settings have no public name; that this one still holds a test asks.
    """
    own = function._hypothesis_internal_use_settings
    if own.max_examples != most:
        function._hypothesis_internal_use_settings = settings(
            own, max_examples=own.max_examples * most // ORDINARY
        )


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
