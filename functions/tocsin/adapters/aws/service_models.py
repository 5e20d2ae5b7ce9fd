"""The default session of boto3, which looks for the models of services where they are.

botocore looks into each of the four hundred services' folders, once for each kind of file, only to know whether the one
that is asked for is there: a tenth of what it takes to import boto3, three times in a first call.
"""

from __future__ import annotations

from pathlib import Path

import boto3
from botocore.loaders import Loader, create_loader, instance_cache
from botocore.session import get_session


class _ServiceLoader(Loader):
    """Takes each service that has a folder for one that has the file; where it has not, that is said as ever."""

    @instance_cache
    def list_available_services(self, type_name: str) -> list[str]:
        """The services that may have files of a type."""
        if type_name == "resources-1":  # of which few services have one; nothing here asks for them
            return super().list_available_services(type_name)
        folders = filter(Path.is_dir, map(Path, self.search_paths))
        return sorted({each.name for folder in folders for each in folder.iterdir()})


def use_lean_session() -> None:
    """Make the session that `boto3.client` takes, where none was made yet."""
    if boto3.DEFAULT_SESSION is not None:
        return
    session = get_session()
    own = session.get_config_variable("data_path")
    paths = create_loader(own).search_paths if own else None
    session.register_component("data_loader", _ServiceLoader(extra_search_paths=paths))
    boto3.setup_default_session(botocore_session=session)
