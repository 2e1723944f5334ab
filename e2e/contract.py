"""Tests a running `tweeter` against its own OpenAPI description: schemathesis sends requests that conform to it and requests
that do not, and every response must be documented.

Handwritten cases cover `GET /v1/events` (an endless response) and `DELETE /v1/users/{user}` (it would delete the caller's
account), which schemathesis skips; and a successful refresh, password change and end of a session, which it may not find.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from api import Api
from terminal import Failed, end_group, run, say, step

# The description's own examples of register and login, so that those succeed.
EXAMPLE = {"handle": "alice", "email": "alice@example.org", "password": "correct horse battery staple"}
EXAMPLES_AN_OPERATION = 20
# Ends a run that hangs; normally half a minute on two cores.
RUN_SECONDS = 60 * 60
# For one request, on a busy machine.
ANSWER_SECONDS = 120

# Every check is on, except for rules that the description cannot express: a cursor belongs to its list, a key to one body,
# users cannot follow themselves; a picture belongs to one user; and after `/like` is deleted, `/likes` still exists.
CONFIGURATION = """
[dictionaries.people]
values = ["me", "@alice"]

[[operations]]
include-path-regex = "/users/"
[operations.parameters]
"path.user" = { dictionary = "people", probability = 0.5 }

[[operations]]
include-method = "GET"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 403, 404]

[[operations]]
include-path-regex = "/(likes?|follow|followers|following)$"
checks.use_after_free.enabled = false

[[operations]]
include-name = ["POST /v1/posts", "PUT /v1/users/{user}/follow"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 422]

[[operations]]
include-name = "PATCH /v1/users/{user}"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 403, 404, 422]
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tweeter", type=pathlib.Path, help="the program to test")
    arguments.add_argument("--seed", type=int, default=1, help="seed of the generated requests")
    arguments = arguments.parse_args()
    try:
        with tempfile.TemporaryDirectory() as directory, serving(arguments.tweeter, pathlib.Path(directory)) as api:
            check(api, pathlib.Path(directory), arguments.seed)
    except Failed as failure:
        sys.exit(f"contract: {failure}")


def check(api, directory, seed):
    answered = collections.Counter()
    api.call("POST", "/v1/auth/register", body=EXAMPLE, status=201)
    caller = api.call("POST", "/v1/auth/register", body=named("caller"), status=201)
    operations = described(api)
    with step(f"{len(operations)} operations, with conforming and non-conforming requests"):
        answered += fuzz(api, directory, caller["access_token"], seed)
    with step("handwritten cases"):
        answered += refresh(api)
        answered += end_session(api, operations)
        answered += listen(api, caller["access_token"], operations)
        answered += describe_picture(api, caller["access_token"], operations)
        answered += change_password(api, operations)
        answered += leave(api, operations)
    say(", ".join(f"{operation} {answered[operation]}" for operation in sorted(operations)))
    hollow = sorted(operation for operation in operations if not answered[operation])
    if hollow:
        raise Failed(f"never returned a 2xx, so hardly tested: {', '.join(hollow)}")
    say(f"each returned a 2xx at least {min(answered[operation] for operation in operations)} times")


@contextlib.contextmanager
def serving(program, directory):
    """Runs a separate service on a free port, without the user's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWEETER_")}
    environment["TWEETER_RATE_LIMITS"] = "off"
    command = [program, "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--ephemeral", "--log-format", "json"]
    log = directory / "log"
    with log.open("w") as sink:
        process = subprocess.Popen(command, env=environment, stderr=sink, start_new_session=True)
    try:
        yield Api(f"http://{address(process, log)}")
        if process.poll() is not None:
            raise Failed(f"the service ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    finally:
        end_group(process)


def address(process, log):
    """The service's address, once it logs it."""
    with log.open() as lines:
        while process.poll() is None:
            with contextlib.suppress(ValueError, KeyError):
                return json.loads(lines.readline())["fields"]["http.address"]
    raise Failed(f"the service did not start:\n{log.read_text()}")


def named(handle):
    return {"handle": handle, "email": f"{handle}@example.org", "password": EXAMPLE["password"]}


def described(api):
    """All operations, such as `GET /v1/feed`."""
    paths = api.call("GET", "/openapi.json", status=200)["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method != "parameters"}


def fuzz(api, directory, token, seed):
    """The number of 2xx responses per operation."""
    configuration, events = directory / "schemathesis.toml", directory / "events.ndjson"
    configuration.write_text(CONFIGURATION)
    command = [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", configuration]
    command += ["run", f"{api.url}/openapi.json", "--header", f"Authorization: Bearer {token}"]
    command += ["--exclude-name", "GET /v1/events", "--exclude-name", "DELETE /v1/users/{user}"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES_AN_OPERATION]
    command += ["--seed", seed, "--continue-on-failure", "--warnings", "off"]
    command += ["--request-timeout", ANSWER_SECONDS]
    command += ["--report", "ndjson", "--report-ndjson-path", events]
    run(command, env=os.environ, timeout=RUN_SECONDS, cwd=directory)
    answered = collections.Counter()
    requests = 0
    for line in events.read_text().splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for case, interaction in recorder.get("interactions", {}).items():
            requests += 1
            if case in recorder["cases"] and (interaction.get("response") or {}).get("status_code", 0) // 100 == 2:
                asked = recorder["cases"][case]["value"]
                answered[f"{asked['method']} {asked['path']}"] += 1
    say(f"{requests} requests")
    return answered


def log_in(api, handle):
    body = {"handle": handle, "password": EXAMPLE["password"]}
    return api.call("POST", "/v1/auth/login", body=body, status=200)


def refresh(api):
    # A separate session: an earlier request may have ended the caller's.
    body = {"refresh_token": log_in(api, "caller")["refresh_token"]}
    tokens = api.call("POST", "/v1/auth/refresh", body=body, status=200)
    api.call("GET", "/v1/users/me", token=tokens["access_token"], status=200)
    return {"POST /v1/auth/refresh": 1}


def listen(api, token, operations):
    if "GET /v1/events" not in operations:
        return {}
    connection = http.client.HTTPConnection(api.url.removeprefix("http://"), timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/events", headers={"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        kind, first = answer.headers.get_content_type(), answer.readline()
    if (answer.status, kind, first) != (200, "text/event-stream", b"event: hello\n"):
        raise Failed(f"GET /v1/events returned {answer.status}, {kind}, {first}")
    api.call("GET", "/v1/events", status=401)
    return {"GET /v1/events": 1}


def end_session(api, operations):
    listing, ending = "GET /v1/users/{user}/sessions", "DELETE /v1/users/{user}/sessions/{session_id}"
    if not {listing, ending} <= operations:
        return {}
    session = log_in(api, "caller")
    token = session["access_token"]
    listed = api.call("GET", "/v1/users/me/sessions", token=token, status=200)["items"]
    current = next(each["session_id"] for each in listed if each["current"])
    for _ in range(2):
        api.call("DELETE", f"/v1/users/me/sessions/{current}", token=token, status=204)
    api.call("POST", "/v1/auth/refresh", body={"refresh_token": session["refresh_token"]}, status=401)
    return {listing: 1, ending: 2}


def describe_picture(api, token, operations):
    reading, describing = "GET /v1/media/{media_id}", "PATCH /v1/media/{media_id}"
    if not {reading, describing} <= operations:
        return {}
    media = api.call("POST", "/v1/media", token=token, body={"content_type": "image/png", "bytes": 67}, status=201)
    path = f"/v1/media/{media['media_id']}"
    api.call("PATCH", path, token=token, body={"description": "a crab"}, status=200)
    found = api.call("GET", path, token=token, status=200)
    if (found["state"], found["description"]) != ("awaiting_upload", "a crab"):
        raise Failed(f"GET {path} returned {found}")
    other = api.call("POST", "/v1/auth/register", body=named("viewer"), status=201)["access_token"]
    api.call("GET", path, token=other, status=404)
    api.call("PATCH", path, token=other, body={"description": "mine"}, status=404)
    return {reading: 1, describing: 1}


def change_password(api, operations):
    if "PUT /v1/users/{user}/password" not in operations:
        return {}
    someone, new = named("changer"), "another password"
    session = api.call("POST", "/v1/auth/register", body=someone, status=201)
    body = {"current": someone["password"], "new": new}
    api.call("PUT", "/v1/users/me/password", token=session["access_token"], body=body, status=204)
    api.call("PUT", "/v1/users/me/password", token=session["access_token"], body=body, status=403)
    api.call("POST", "/v1/auth/refresh", body={"refresh_token": session["refresh_token"]}, status=401)
    api.call("POST", "/v1/auth/login", body={"handle": "changer", "password": new}, status=200)
    return {"PUT /v1/users/{user}/password": 1}


def leave(api, operations):
    if "DELETE /v1/users/{user}" not in operations:
        return {}
    someone, body = named("leaver"), {"password": EXAMPLE["password"]}
    token = api.call("POST", "/v1/auth/register", body=someone, status=201)["access_token"]
    api.call("DELETE", "/v1/users/me", body=body, status=401)
    api.call("DELETE", "/v1/users/@alice", token=token, body=body, status=403)
    api.call("DELETE", "/v1/users/@nobody_at_all", token=token, body=body, status=404)
    api.call("DELETE", "/v1/users/me", token=token, body={"password": "another password"}, status=403)
    for invalid in ({}, {"password": "short"}, {"password": 1}, {**body, "more": 1}):
        api.call("DELETE", "/v1/users/me", token=token, body=invalid, status=422)
    api.call("DELETE", "/v1/users/me", token=token, body=body, status=202)
    api.call("GET", "/v1/users/me", token=token, status=401)
    return {"DELETE /v1/users/{user}": 1}


if __name__ == "__main__":
    main()
