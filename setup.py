"""The wheel carries what is deployed: pyproject.toml says the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
PRODUCT = ("template.yaml", "samconfig.toml", "functions", "runbooks", "docs/evidence.md")
"""What `tocsin_cli.product.product_root` finds in a clone at its top, and in an installed command in `tocsin_cli/files`."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*")


class CarryProduct(build_py):
    """Builds the packages, and puts template, functions and runbooks beside the command."""

    def run(self) -> None:
        """Build; an editable installation finds the files where they are."""
        super().run()
        if getattr(self, "editable_mode", False):
            return
        target = Path(self.build_lib) / "tocsin_cli" / "files"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in PRODUCT:
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=LEFT_OUT)
            else:
                (target / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(source, target / name)


setup(cmdclass={"build_py": CarryProduct})
