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
# Lambda's two processors. The build takes nothing else, so that the same sources make the same package anywhere.
# Written again after a change of requirements.txt: python -m tools.lock
"""


def main() -> None:
    """Ask pip for each processor, and write what it would install."""
    found: dict[str, set[str]] = {}
    for machine in lambda_package.MACHINES:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            platforms = lambda_package.platform_options(machine)
            subprocess.run(  # noqa: S603 - pip, with arguments of our own
                [
                    sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", *platforms,
                    f"--report={report}", f"--target={folder}", f"--requirement={FUNCTIONS / 'requirements.txt'}",
                ],
                check=True,
            )  # fmt: skip
            for each in json.loads(report.read_text("utf-8"))["install"]:
                named = f"{each['metadata']['name'].lower().replace('_', '-')}=={each['metadata']['version']}"
                found.setdefault(named, set()).add(each["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = [" \\\n    --hash=sha256:".join([named, *sorted(found[named])]) for named in sorted(found)]
    (FUNCTIONS / "requirements.lock").write_text(HEAD + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
