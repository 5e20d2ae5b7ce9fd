"""``tocsin local`` as people outside use it: its ready line, boto3 and HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds that a machine with much else to do may take; where nothing comes, a test fails that much later."""


class Outside:
    """What `tocsin local` promises, used the way its users do: its ready line, boto3 and HTTP.

    Of those that run side by side in one folder, a command finds the latest: where one is to be found, it has its own.
    """

    def __init__(self, *flags, folder=ROOT):
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin_cli.main", "local", "--sam-port", "0", *flags],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )
        self.ready = json.loads(self.process.stdout.readline())
        self.streams = set()

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.ready["aws_endpoint"],
            region_name=self.ready["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def put(self, service, *lines, stream="s"):
        logs, group = self.client("logs"), self.ready["log_groups"][service]
        if (service, stream) not in self.streams:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            self.streams.add((service, stream))
        now = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": now, "message": line} for line in lines],
        )

    def set_alarm(self, service, state):
        self.client("cloudwatch").set_alarm_state(
            AlarmName=self.ready["dlq_alarms"][service],
            StateValue=state,
            StateReason="Threshold Crossed: by hand",
        )

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.ready["slack_url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def messages(self):
        return self.call("GET", "/api/messages")["messages"]

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition(messages := self.messages()):
            assert time.monotonic() < deadline, (
                f"not within {PATIENCE} s; Slack shows {[m['text'] for m in messages]}"
            )
            self.process.poll()
            time.sleep(0.05)  # polling a server of another process, not waiting for a clock
        return messages

    def roots(self):
        return [message for message in self.messages() if message["thread_ts"] is None]

    def clear(self):
        """Forget the messages; waits until the incidents before are over and told."""
        self.call("DELETE", "/api/messages")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
