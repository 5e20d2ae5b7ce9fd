import socket
import urllib.request

import pytest
from conftest import NetworkBlockedError


def test_a_unit_test_cannot_open_a_connection_even_to_this_machine():
    with socket.socket() as probe, pytest.raises(NetworkBlockedError, match="9"):
        probe.connect(("127.0.0.1", 9))


def test_a_unit_test_cannot_resolve_a_name():
    with pytest.raises(NetworkBlockedError):
        urllib.request.urlopen("http://example.com", timeout=1)
