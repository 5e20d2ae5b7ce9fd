"""``sam local invoke``: a dry run, or the way from its container into a running ``tocsin local``.

Nothing of this runs on AWS: handlers call it only where the SAM CLI has set ``AWS_SAM_LOCAL``. The SAM CLI
hands its container the template's environment, in which references are logical ids, and whatever AWS
credentials the user has. So without ``tocsin local`` the function must not call AWS at all (a dry run); with
it, the function takes over the environment of its deployed twin.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

BRIDGE_PORT = 14577
"""Where ``tocsin local`` answers ``sam local``: fixed, because nothing else can tell the container."""

HOST = "host.docker.internal"
"""The machine, as seen from a container; samconfig.toml adds the name on Linux."""

_WITHIN = 2.0


def join_local_cloud(
    environment: MutableMapping[str, str], *, host: str = HOST, port: int = BRIDGE_PORT
) -> bool:
    """Make this container part of the cloud of a running ``tocsin local``, or its function a dry run.

    Args:
        environment: The process's environment. With a ``tocsin local``, the variables of the deployed
            function named in ``AWS_LAMBDA_FUNCTION_NAME`` are laid over it, and the cloud's loopback
            addresses are made to work inside the container; without, ``TOCSIN_DRY_RUN`` is set to ``true``.
        host: Where ``tocsin local`` is.
        port: Its door.

    Returns:
        Whether there is a ``tocsin local``.
    """
    found = _ask(host, port)
    variables = found.get("functions", {}).get(environment.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    if not variables:
        environment["TOCSIN_DRY_RUN"] = "true"
        return False
    for forwarded in found["ports"]:
        Forwarding(("127.0.0.1", forwarded), (host, forwarded))
    environment.update(variables)
    environment.pop("TOCSIN_DRY_RUN", None)
    return True


class Forwarding(socketserver.ThreadingTCPServer):
    """Passes connections on: whoever connects to ``here`` speaks to ``there``; a context manager.

    Raises:
        OSError: ``here`` cannot be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.there = there
        super().__init__(here, _Connection)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: Forwarding

    def handle(self) -> None:
        try:
            far = socket.create_connection(self.server.there, timeout=_WITHIN)
        except OSError:
            return  # nobody there: closed, as if the caller had found nobody
        near: socket.socket = self.request
        with far:
            far.settimeout(None)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _ask(host: str, port: int) -> Mapping[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=_WITHIN)
    try:
        connection.request("GET", "/")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}  # nobody there, or somebody else
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either end may go at any time
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
