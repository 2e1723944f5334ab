"""Shared by all steps: progress output, running programs, waiting."""

import contextlib
import os
import signal
import subprocess
import time


class Failed(Exception):
    """A step's expectation was not met."""


@contextlib.contextmanager
def step(title):
    """Prints the step's title and, at its end, its duration."""
    print(f"--- {title}", flush=True)
    began = time.monotonic()
    yield
    print(f"    {time.monotonic() - began:.1f} s", flush=True)


def say(line):
    print(f"    {line}", flush=True)


def run(command, *, env, timeout, cwd=None, show=False):
    """Runs a program to completion and returns its output, which is printed only on failure; with `show`, passes the output
    through and returns nothing."""
    command = [str(word) for word in command]
    pipe = None if show else subprocess.PIPE
    process = subprocess.Popen(
        command, env=env, cwd=cwd, text=True, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True
    )
    output = ""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        end_group(process)
        output, _ = process.communicate()
        raise Failed(f"{' '.join(command)} took more than {timeout} s:\n{output}") from None
    finally:
        # Its child processes end with it in any case.
        end_group(process)
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return output


def end_group(process, patience=10):
    """Ends a process and its children, which form one process group: with SIGTERM, then SIGKILL."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)
            process.wait(patience)


def wait_until(what, condition, *, timeout, pause=0.5):
    """Polls the condition until it returns a true value, and returns that value."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"timed out after {timeout} s waiting until {what}")
        time.sleep(pause)


def expect(fact, otherwise):
    if not fact:
        raise Failed(otherwise)
