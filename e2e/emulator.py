"""ministack: an AWS emulator in one process on 127.0.0.1. Its state is in memory and lost when it stops.

Limitations of version 1.5.33, which these tests cannot cover; `deploy-checks` tests the template for them instead:
- It enforces policies by action and resource, but not conditions on `dynamodb:LeadingKeys`.
- It ignores the template's item expiry and `RecursiveLoop`.
- It never retries a batch of a change stream, even if the function reports failures.
- Queues are not fair, there is no message-move task, and deleting by an outdated receipt is an error.
- An invocation takes about 100 ms. Timings here say nothing about AWS.
gaps.py has workarounds for further differences from AWS.
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
# The root access key and secret of the emulator's account.
KEY = "test"
# Start-up takes about three seconds, on a busy machine ten.
START_SECONDS = 10 * 60
# For one call, which may include a function's cold start.
CALL_SECONDS = 10 * 60


class Emulator:
    """A running emulator that enforces IAM."""

    def __init__(self, programs: Path, directory: Path):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = directory / "ministack.log"
        self._process = subprocess.Popen(
            [programs / "ministack"],
            env=self._own_environment(programs, directory),
            cwd=directory,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            # The emulator and its functions are stopped as one process group.
            start_new_session=True,
        )

    def _own_environment(self, programs, directory):
        # The complete environment: the functions inherit it, and the user's variables must not reach them.
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
        """Deletes everything created in the emulator."""
        request = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")
        urllib.request.urlopen(request, timeout=CALL_SECONDS).close()

    def stop(self):
        """Stops the emulator and its functions."""
        end_group(self._process)

    def environment(self, **more):
        """The environment of programs that use the emulator as AWS: the caller's, without its AWS settings."""
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
