"""Write ``functions/requirements.lock`` again: what pip chooses for Lambda's two processors, with the wheels' hashes.

python -m tools.lock     after a change of functions/requirements.txt
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lambda_package

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"
HEAD = """# What requirements.txt asks for, with all that it needs in turn: exact versions, and the hashes of the wheels for
# Lambda's two processors; of what reads the configuration also those for the Pythons and systems that people build on.
# The build takes nothing else, so that the same sources make the same package anywhere.
# Written again after a change of requirements.txt: python -m tools.lock
"""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("macosx_13_0", "macosx_14_0", "macosx_15_0")


def main() -> None:
    """Ask pip for each processor, and write what it would install."""
    found: dict[str, set[str]] = {}
    for machine in lambda_package.MACHINES:
        ask(
            found,
            [*lambda_package.platform_options(machine), f"--requirement={FUNCTIONS / 'requirements.txt'}"],
        )
    reading = [name for name in found if name.startswith(lambda_package.READS_CONFIGURATION)]
    linux = [
        [f"--platform={platform}_{machine}" for platform in lambda_package.PLATFORMS]
        for machine in lambda_package.MACHINES
    ]
    others = [[f"--platform={system}_{machine}"] for system in SYSTEMS for machine in ("arm64", "x86_64")]
    for platforms in (*linux, *others, ["--platform=win_amd64"]):
        for python in PYTHONS:
            options = [
                "--only-binary=:all:",
                "--implementation=cp",
                f"--python-version={python}",
                *platforms,
                "--no-deps",
            ]
            for name in reading:
                ask(found, [*options, name], needed=False)
    lines = [" \\\n    --hash=sha256:".join([named, *sorted(found[named])]) for named in sorted(found)]
    (FUNCTIONS / "requirements.lock").write_text(HEAD + "\n".join(lines) + "\n", "utf-8")


def ask(found: dict[str, set[str]], options: list[str], *, needed: bool = True) -> None:
    """Add to ``found`` the hashes of what pip would install; where it is not ``needed``, of nothing if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(  # noqa: S603 - pip, with arguments of our own
            [
                sys.executable,
                *"-m pip install --quiet --dry-run --ignore-installed".split(),
                f"--report={report}",
                f"--target={folder}",
                *options,
            ],
            check=needed,
            capture_output=not needed,
        )
        if done.returncode:
            return
        for each in json.loads(report.read_text("utf-8"))["install"]:
            named = f"{each['metadata']['name'].lower().replace('_', '-')}=={each['metadata']['version']}"
            found.setdefault(named, set()).add(each["download_info"]["archive_info"]["hashes"]["sha256"])


if __name__ == "__main__":
    main()
