"""The stack of template.yaml, built, deployed and deleted with SAM as a user would."""

import contextlib
import json
import platform
from pathlib import Path

import botocore.exceptions

from terminal import run, say

NAME = "tweeter-e2e"
# A cold release build of all functions on a slow and busy machine.
BUILD_SECONDS = 3 * 60 * 60
DEPLOY_SECONDS = 30 * 60
# The emulator starts the binaries on this machine.
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
# samconfig.toml's values for dev: naming one on the command line overrides all of them.
PARAMETERS = {
    # All users register from one address.
    "RateLimits": "off",
    "Stage": "dev",
    "FollowFetcherConcurrency": 2,
    "JobHandlerConcurrency": 5,
    "ChangeQConcurrency": 2,
    "MediaQConcurrency": 2,
    "LogRetentionDays": 7,
    "Architecture": ARCHITECTURE,
}
# Each function's name in the template and in the code.
FUNCTIONS = {
    "PostHandler": "post-handler",
    "FollowFetcher": "follow-fetcher",
    "JobHandler": "job-handler",
    "MediaHandler": "media-handler",
    "StatusApi": "status-api",
    "StreamHandler": "stream-handler",
    "OutboxSweeper": "outbox-sweeper",
}
# Queues and their dead-letter queues.
QUEUES = ("PostQ", "JobQ", "ChangeQ", "MediaQ", "PostDLQ", "JobDLQ", "ChangeDLQ", "MediaDLQ")
# Lines of each log to show after a failure.
LOG_LINES = 25


class Stack:
    def __init__(self, emulator, root: Path, target: Path, programs: Path):
        self._emulator, self._root, self._target, self._programs = emulator, root, target, programs
        self.cloudformation = emulator.client("cloudformation")
        self._iam = emulator.client("iam")
        self.resources, self.outputs = {}, {}

    def build(self):
        self._sam(
            "build",
            "--build-dir", self._build_directory(),
            "--parameter-overrides", f"Architecture={ARCHITECTURE}",
            timeout=BUILD_SECONDS,
            show=True,
        )  # fmt: skip

    def deploy(self):
        self._sam(
            "deploy",
            "--config-file", self._root / "samconfig.toml",
            "--template-file", self._build_directory() / "template.yaml",
            "--stack-name", NAME,
            "--parameter-overrides", *(f"{name}={value}" for name, value in PARAMETERS.items()),
            "--no-progressbar",
            timeout=DEPLOY_SECONDS,
        )  # fmt: skip
        described = self.cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        listed = self.cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
        self.resources = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in listed}

    def delete(self):
        self._sam("delete", "--stack-name", NAME, "--no-prompts", timeout=DEPLOY_SECONDS)

    def exists(self):
        try:
            return bool(self.cloudformation.describe_stacks(StackName=NAME)["Stacks"])
        except botocore.exceptions.ClientError:
            return False

    def url(self):
        # The host name in the output ApiUrl resolves only on AWS.
        return f"{self._emulator.url}/_aws/execute-api/{self.outputs['ApiId']}/$default"

    def tables(self):
        return [self.outputs[f"{table}Table"] for table in ("Auth", "Social", "Feed")]

    def operator_environment(self):
        """The variables by which `tweeter ... --store aws` finds the stack."""
        return {f"TWEETER_{queue.upper()}_URL": self.outputs[f"{queue}Url"] for queue in QUEUES} | {
            f"TWEETER_{table.upper()}_TABLE": self.outputs[f"{table}Table"] for table in ("Auth", "Social", "Feed")
        }  # fmt: skip

    @contextlib.contextmanager
    def without(self, function, statement):
        """Removes one statement from a function's policy for the duration of the block."""
        whole = self.policy(function)
        narrower = [each for each in whole["Statement"] if each["Sid"] != statement]
        assert len(narrower) == len(whole["Statement"]) - 1, f"{function} has no statement {statement}"
        self.put_policy(function, whole | {"Statement": narrower})
        try:
            yield
        finally:
            self.put_policy(function, whole)

    def policy(self, function):
        return self._iam.get_role_policy(**self._policy_of(function))["PolicyDocument"]

    def put_policy(self, function, document):
        self._iam.put_role_policy(**self._policy_of(function), PolicyDocument=json.dumps(document))

    def _policy_of(self, function):
        # For example, JobHandler's policy is named job-handler.
        return {"RoleName": self.resources[f"{function}Role"], "PolicyName": FUNCTIONS[function]}

    def invoke(self, function, event: Path):
        """A function's response to an event, and its error, if any."""
        client = self._emulator.client("lambda")
        answer = client.invoke(FunctionName=self.resources[function], Payload=event.read_bytes())
        return json.loads(answer["Payload"].read() or "null"), answer.get("FunctionError")

    def show_logs(self):
        """Prints the last lines of each function's log."""
        logs = self._emulator.client("logs")
        for name, group in self.resources.items():
            if not name.endswith("Logs"):
                continue
            lines = log_lines(logs, group)
            say(f"{name}: the last {min(len(lines), LOG_LINES)} lines of {len(lines)}")
            for line in lines[-LOG_LINES:]:
                say(f"  {line}")

    def _build_directory(self):
        return self._target / "e2e" / "build"

    def _sam(self, *arguments, **how):
        settings = self._target / "e2e" / "sam"
        settings.mkdir(parents=True, exist_ok=True)
        environment = self._emulator.environment(
            SAM_CLI_TELEMETRY="0",
            # Keeps both out of the home directory.
            __SAM_CLI_APP_DIR=str(settings),
            ZIG_GLOBAL_CACHE_DIR=str(self._target / "e2e" / "zig"),
        )
        environment["PATH"] = f"{self._programs}:{environment['PATH']}"
        run([self._programs / "sam", *arguments], env=environment, cwd=self._root, **how)


def log_lines(logs, group):
    try:
        events = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [event["message"].rstrip() for page in events for event in page["events"]]
        return [line for line in lines if not line.startswith(("START ", "END ", "REPORT "))]
    except botocore.exceptions.ClientError:
        return []
