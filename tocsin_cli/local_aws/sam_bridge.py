"""The bridge for ``sam local invoke``: lets its containers into the cloud of a running ``tocsin local``.

A container on Docker Desktop reaches this machine's loopback by the name host.docker.internal; on Linux that
name leads to the address of Docker's bridge, where nothing listens. So on Linux the bridge, and the ports
behind it, are opened on the bridge as well, as soon as there is one.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tocsin.adapters.sam_local import BRIDGE_PORT, Forwarding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin_cli.local_aws.cloud import Deployment

_LOGICAL_IDS = {"detect": "DetectFunction", "reconcile": "ReconcileFunction", "notify": "NotifyFunction"}
_BRIDGE = "docker0"
_LOOK_EVERY = 1.0


class SamLocalBridge:
    """Answers containers with the environment of the deployed functions; a context manager.

    Args:
        deployment: The deployed stack.
        slack_url: The local Slack's address.
        port: Where to answer; containers know only the default.
    """

    def __init__(self, deployment: Deployment, slack_url: str, *, port: int = BRIDGE_PORT) -> None:
        ports = [urlsplit(address).port for address in (deployment.endpoint, slack_url)]
        self._ports = [found for found in ports if found]
        self.environments = function_environments(deployment)
        self._answer = json.dumps({"ports": self._ports, "functions": self.environments}).encode()
        self._port = port
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._bridge: threading.Thread | None = None
        self.address = ""

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            OSError: The port is taken, most likely by another ``tocsin local``.
        """
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self._answer))
        port = self._server.server_address[1]
        self.address = f"127.0.0.1:{port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        if sys.platform == "linux":
            self._bridge = threading.Thread(target=self._open_on_bridge, args=(port,), daemon=True)
            self._bridge.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._bridge is not None:
            self._bridge.join()

    def _open_on_bridge(self, port: int) -> None:
        """Wait for Docker's bridge (its daemon may start after us), then listen there until closed."""
        while not (bridge := _address_of(_BRIDGE)):
            if self._closing.wait(_LOOK_EVERY):
                return
        with contextlib.ExitStack() as listening:
            for each in (port, *self._ports):
                with contextlib.suppress(OSError):  # somebody listens on all addresses: reachable anyway
                    listening.enter_context(Forwarding((bridge, each), ("127.0.0.1", each)))
            self._closing.wait()


def function_environments(deployment: Deployment) -> dict[str, dict[str, str]]:
    """The environment of each deployed function, by its logical id in the template."""
    client = deployment.client("lambda")
    of_the_cloud = {
        "AWS_ENDPOINT_URL": deployment.endpoint,
        "AWS_REGION": deployment.region,
        "AWS_DEFAULT_REGION": deployment.region,
        # In place of the user's own, which the SAM CLI passes into the container.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "",
    }
    environments: dict[str, dict[str, str]] = {}
    for name, logical_id in _LOGICAL_IDS.items():
        configuration = client.get_function_configuration(FunctionName=deployment.functions[name])
        variables: Mapping[str, str] = configuration["Environment"]["Variables"]
        environments[logical_id] = {**variables, **of_the_cloud}
    return environments


def _handler(answer: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's name for it
            """Say nothing: standard output belongs to the command."""

    return Handler


def _address_of(interface: str) -> str:
    """The IPv4 address of a network interface of this Linux machine, or nothing."""
    import fcntl

    get_interface_address = 0x8915  # SIOCGIFADDR, linux/sockios.h
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            request = struct.pack("256s", interface.encode()[:15])
            return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), get_interface_address, request)[20:24])
        except OSError:
            return ""
