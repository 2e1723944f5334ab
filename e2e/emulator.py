"""ministack: AWS in one process on 127.0.0.1. Its state is in memory and goes with it.

What version 1.5.33 does not do, so that nothing here proves it; `deploy-checks` holds the template to it instead:
- Conditions on `dynamodb:LeadingKeys` are not enforced; actions and resources are.
- Of the template it takes no expiry of items and no `RecursiveLoop`.
- A batch of a change stream is over once the function has answered: what it says is to come again does not.
- Queues are not fair, there is no message-move task, and deleting by an outdated receipt is an error.
- An invocation takes about 100 ms. No time measured here says anything about AWS.
What it does otherwise than AWS and needs a hand with is in gaps.py.
"""

import os
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import botocore.config

from terminal import Failed, end_group, wait_until

REGION = "us-east-1"
# What the emulator takes for the keys of its account's root.
KEY = "test"
# Starting takes about three seconds, on a busy machine ten.
START_SECONDS = 10 * 60
# A call, in which a function may start.
CALL_SECONDS = 10 * 60


class Emulator:
    """An emulator that enforces IAM, from start to stop."""

    def __init__(self, programs: Path, directory: Path):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = directory / "ministack.log"
        self._process = subprocess.Popen(
            [programs / "ministack"],
            env=self._own_environment(programs, directory),
            cwd=directory,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            # It and the functions it starts are ended as one group.
            start_new_session=True,
        )

    def _own_environment(self, programs, directory):
        # All of it, because the functions inherit it: nothing of whoever runs this may reach them.
        return {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "GATEWAY_PORT": self.url.rsplit(":", 1)[1],
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "AUTH": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "STATE_DIR": str(directory / "state"),
            "S3_DATA_DIR": str(directory / "s3"),
        }

    def wait_until_ready(self):
        def answers():
            if self._process.poll() is not None:
                raise Failed(f"ministack ended with {self._process.returncode}; its log is {self.log}")
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/ready", timeout=START_SECONDS) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, OSError):
                return False

        wait_until("ministack answers", answers, timeout=START_SECONDS, pause=0.2)

    def reset(self):
        """Has it forget all that was made in it."""
        request = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")
        urllib.request.urlopen(request, timeout=CALL_SECONDS).close()

    def stop(self):
        """Ends it, and the functions that it runs."""
        end_group(self._process)

    def environment(self, **more):
        """The environment of programs that take the emulator for AWS: that of the caller, without its own AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "TWEETER_"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        } | more

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
            config=botocore.config.Config(connect_timeout=60, read_timeout=CALL_SECONDS, retries={"max_attempts": 2}),
        )


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
