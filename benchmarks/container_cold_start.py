"""Cold start in the Lambda image, through its real runtime interface client, with as much processor as Lambda gives.

A container of the image that ``sam local invoke`` makes of ``public.ecr.aws/lambda/python:3.13`` is started with the built package, and timed from the invocation to
its answer: the image's runtime interface emulator starts Python, the runtime interface client imports ``detect`` and
hands it the event. Lambda gives a function with 1,769 MB one processor and less of it in proportion; ``--cpus`` does the
same here. Not in it: what AWS does before the runtime starts (fetching the package, the sandbox).
"""

from __future__ import annotations

import json
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.batches import FAULT, batch, ordinary_batch
from benchmarks.stopwatch import ROOT

IMAGE = "public.ecr.aws/lambda/python:3.13-rapid-x86_64"
ONE_PROCESSOR = 1769
"""MB of memory that come with one processor (Lambda Developer Guide, "Configure Lambda function memory")."""
MEMORY = (256, 512, 1024)
RUNS = 3
EMPTY = "def handler(event, context):\n    return {}\n"
BOTO3 = "import boto3\n" + EMPTY


def measure() -> dict[str, Any]:
    """Median milliseconds by memory and program; ``skipped`` with the reason where there is no container engine."""
    reason = missing()
    if reason:
        return {"container_cold_start": {"skipped": reason}}
    package = build()
    programs = Path(tempfile.mkdtemp())
    for name, text in (("empty", EMPTY), ("boto3", BOTO3)):
        (programs / name).mkdir()
        (programs / name / "detect.py").write_text(text, "utf-8")
    ways = {
        "a handler that does nothing": (programs / "empty", ordinary_batch(100)),
        "a handler that imports boto3": (programs / "boto3", ordinary_batch(100)),
        "detect, batch without a match": (package, ordinary_batch(100)),
        # A dry run: everything that a match needs but boto3 and the calls, for which there is no cloud here.
        "detect, batch with a match (dry run)": (package, batch([FAULT])),
    }
    return {
        "container_image": system(),
        "container_cold_start": {
            str(memory): {
                way: statistics.median(
                    first_answer(folder, event, memory, dry="dry run" in way) for _ in range(RUNS)
                )
                for way, (folder, event) in ways.items()
            }
            for memory in MEMORY
        },
    }


def missing() -> str:
    """Why this cannot run here; empty if it can."""
    if shutil.which("docker") is None:
        return "there is no docker"
    done = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"the image {IMAGE} is not here (`sam local invoke` makes it)"


def system() -> str:
    """What the image is made of, in its own words: AWS's is Amazon Linux, a stand-in is not."""
    command = ["docker", "run", "--rm", "--entrypoint", "/bin/cat", IMAGE, "/etc/os-release"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = [
        line.partition("=")[2].strip('"') for line in text.splitlines() if line.startswith("PRETTY_NAME=")
    ]
    return f"image on {names[0]}" if names else "image of unknown make"


def build() -> Path:
    """The Lambda package, as ``sam build`` makes it."""
    folder = Path(tempfile.mkdtemp())
    subprocess.run(
        shlex.split(
            f"make -C {ROOT / 'functions'} build-DetectFunction ARTIFACTS_DIR={folder} MACHINES=x86_64"
        ),
        check=True,
        capture_output=True,
    )
    for left in (ROOT / "functions").glob("packages-*"):
        shutil.rmtree(left)
    # Byte code by the runtime's own Python, as a build in the image leaves it.
    subprocess.run(
        shlex.split(
            f"docker run --rm -v {folder}:/var/task --entrypoint python3.13 {IMAGE} "
            "-m compileall -q --invalidation-mode unchecked-hash /var/task"
        ),
        check=False,
        capture_output=True,
    )
    return folder


def first_answer(folder: Path, event: object, memory: int, *, dry: bool) -> float:
    """Milliseconds from the first invocation of a fresh container to its answer."""
    started = subprocess.run(
        shlex.split(
            f"docker run --rm --detach --publish 127.0.0.1::8080 --cpus {memory / ONE_PROCESSOR:.3f} "
            f"--memory {memory}m --env AWS_LAMBDA_FUNCTION_MEMORY_SIZE={memory} --env AWS_REGION=us-east-1 "
            f"--env TOCSIN_DRY_RUN={dry or ''} --volume {folder}:/var/task:ro "
            "--entrypoint /var/rapid/aws-lambda-rie --env AWS_LAMBDA_FUNCTION_HANDLER=detect.handler "
            f"{IMAGE} --log-level error"
        ),
        check=True,
        capture_output=True,
        text=True,
    )
    container = started.stdout.strip()
    try:
        published = subprocess.run(
            ["docker", "port", container, "8080"], check=True, capture_output=True, text=True
        ).stdout.split()[0]
        address = f"http://{published}/2015-03-31/functions/function/invocations"
        body = json.dumps(event).encode()
        deadline = time.monotonic() + 60
        while True:
            begun = time.perf_counter()
            try:
                with urllib.request.urlopen(address, body, timeout=60) as answer:
                    answer.read()
                return (time.perf_counter() - begun) * 1000
            except OSError:
                # The emulator is not listening yet; the function starts with the first invocation only.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        subprocess.run(["docker", "kill", container], capture_output=True, check=False)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
