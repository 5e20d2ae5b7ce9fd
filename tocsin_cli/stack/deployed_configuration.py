"""The configuration that a deployed stack runs with: read out of its function's package."""

from __future__ import annotations

import io
import tempfile
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from tocsin.adapters.files.configuration import Configuration, load_configuration
from tocsin.core.config.settings import FILE


def deployed_configuration(cloudformation: Any, client: Any, stack: str) -> Configuration:
    """Fetch and read it.

    Args:
        cloudformation: A client of CloudFormation.
        client: A client of Lambda.
        stack: The stack's name.

    Raises:
        ConfigurationError: What runs is not valid for this version of Tocsin.
    """
    resource = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="DetectFunction")
    function = resource["StackResourceDetail"]["PhysicalResourceId"]
    address = client.get_function(FunctionName=function)["Code"]["Location"]
    with urllib.request.urlopen(address, timeout=60) as response:  # noqa: S310 - AWS's own, signed address
        package = zipfile.ZipFile(io.BytesIO(response.read()))
    with tempfile.TemporaryDirectory(prefix="tocsin-deployed-") as folder:
        root = Path(folder)
        (root / "signatures").mkdir()
        for name in package.namelist():
            path = PurePosixPath(name)
            if name == FILE or (path.parts[:1] == ("signatures",) and path.suffix == ".toml"):
                (root / "signatures" / path.name if name != FILE else root / FILE).write_bytes(
                    package.read(name)
                )
        return load_configuration(root, {})
