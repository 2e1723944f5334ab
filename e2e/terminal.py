"""What the steps share: telling what runs and how long it took, running programs, waiting."""

import contextlib
import os
import signal
import subprocess
import time


class Failed(Exception):
    """A step found something else than it was promised."""


@contextlib.contextmanager
def step(title):
    """Says which step runs and, behind it, how long it took."""
    print(f"--- {title}", flush=True)
    began = time.monotonic()
    yield
    print(f"    {time.monotonic() - began:.1f} s", flush=True)


def say(line):
    print(f"    {line}", flush=True)


def run(command, *, env, timeout, cwd=None, show=False):
    """Runs a program to its end and returns what it printed, which is shown only when it fails; or shows it as it comes,
    and returns nothing."""
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
        # What it started goes with it, however this ends.
        end_group(process)
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return output


def end_group(process, patience=10):
    """Ends a process that has a group of its own, with all that it started: asked first, then killed."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)
            process.wait(patience)


def wait_until(what, condition, *, timeout, pause=0.5):
    """Asks until the condition answers something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"within {timeout} s it never was so that {what}")
        time.sleep(pause)


def expect(fact, otherwise):
    if not fact:
        raise Failed(otherwise)
