"""What all tests share: the embedded cloud, and unit tests that cannot reach any network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NoReturn

import pytest

pytest_plugins = ["cloud_fixture"]

UNIT = Path(__file__).parent / "unit"


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
