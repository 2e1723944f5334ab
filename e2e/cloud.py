#!/usr/bin/env python3
"""Tests the deployment step by step in an AWS emulator. Run by scripts/e2e-cloud, which installs the requirements."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import botocore.exceptions

import gaps
from api import PASSWORD, Api, for_all
from emulator import Emulator
from stack import FUNCTIONS, NAME, QUEUES, Stack
from terminal import Failed, expect, run, say, step, wait_until

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
EMULATOR_PROGRAMS = ROOT / "target" / "venv-ministack" / "bin"
DEPLOY_PROGRAMS = ROOT / "target" / "venv-deploy" / "bin"

FOLLOWERS = 200
FOLLOWERS_PER_JOB = 25
LOADTEST_FOLLOWERS = 500
# The bounds below only end a run that hangs. Each is at least ten times the duration seen on a slow machine, because this
# test does not judge speed.
CARGO_SECONDS = 2 * 60 * 60
# From a post to the last feed; the emulator takes about 100 ms per invocation.
FAN_OUT_SECONDS = 15 * 60
# Five receives, with pauses of seconds between them.
DEAD_LETTER_SECONDS = 15 * 60
# A lease of one minute, at most another minute until the next sweep, and the fan-out.
SWEEP_SECONDS = 20 * 60
# From a like or comment to its count and notification.
CHANGES_SECONDS = 15 * 60
LOADTEST_SECONDS = 30 * 60
# For an operator's command.
COMMAND_SECONDS = 10 * 60
# For collecting logs after a failure.
LOGS_SECONDS = 120


def main():
    options = arguments()
    # The alarm raises an exception in the running code, so a hung run ends, too.
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.alarm(options.minutes * 60)
    began = time.monotonic()
    work = TARGET / "e2e"
    work.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    emulator = Emulator(EMULATOR_PROGRAMS, directory)
    stack = Stack(emulator, ROOT, TARGET, DEPLOY_PROGRAMS)
    try:
        prove(emulator, stack, options)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        signal.alarm(LOGS_SECONDS)
        stack.show_logs()
        kept = work / "ministack.log"
        shutil.copy(emulator.log, kept)
        sys.exit(f"e2e-cloud failed, see above; the emulator's log is {kept}")
    finally:
        emulator.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"e2e-cloud: all steps passed, {time.monotonic() - began:.0f} s")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=300, help="time limit in minutes, including the build (default 300)")
    parser.add_argument("--skip-build", action="store_true", help="deploy the build of the last run")
    return parser.parse_args()


def out_of_time(*_):
    raise Failed("out of time, see --minutes")


def prove(emulator, stack, options):
    """Runs every step in order."""
    with step("ministack starts"):
        emulator.wait_until_ready()
    if not options.skip_build:
        build(emulator, stack)
    with step("the adapters pass their contract suites on ministack's DynamoDB and SQS"):
        check_contracts(emulator)
        emulator.reset()
    with step("sam deploys the stack"):
        stack.deploy()
        gaps.close(emulator, stack)
        say(f"the API is at {stack.url()}")
    with step("each sample event has the effect that events/README.md describes"):
        check_sample_events(stack)
    scene = Scene(emulator, stack)
    with step(f"{FOLLOWERS} users register and follow an author"):
        scene.register_and_follow()
    with step("a post is accepted while PostQ cannot be written to"):
        scene.post_without_postq()
    with step("a post reaches every feed"):
        scene.post_and_check()
    with step("a post shows its likes and comments, and its author is notified"):
        scene.react()
    with step("a deleted post disappears and can be restored; a deleted account disappears permanently"):
        scene.delete_and_restore()
    with step("an unreadable message on each queue is dead-lettered"):
        scene.poison_every_queue()
    with step("without its permission job-handler loses nothing; after a redrive the post arrives"):
        scene.lose_a_permission_and_redrive()
    with step(f"loadtest fanout --url --stack, {LOADTEST_FOLLOWERS} followers"):
        scene.loadtest()
    with step("outbox-sweeper recovers the first post's fan-out"):
        scene.check_that_the_sweeper_found_the_first_post()
    with step("sam deletes the stack and its tables"):
        delete(emulator, stack)


# --- Before the deployment.


def build(emulator, stack):
    with step("sam builds the functions"):
        stack.build()
    with step("cargo builds tweeter, loadtest and the contract tests"):
        # The test profile: this script does not measure, and `cargo test` has built most of it.
        packages = ["-p", "tweeter", "-p", "loadtest", "--features", "aws"]
        cargo(emulator, "build", *packages, show=True)
        cargo(emulator, "test", "-p", "aws", "--no-run", show=True)


def check_contracts(emulator):
    output = cargo(emulator, "test", "-p", "aws", "at_endpoint", "--", "--ignored")
    passed = sum(line.endswith("... ok") for line in output.splitlines())
    expect(passed > 0, f"no contract test ran:\n{output}")
    say(f"{passed} checks")


def cargo(emulator, command, *arguments, show=False):
    environment = emulator.environment(TWEETER_TEST_AWS_ENDPOINT=emulator.url)
    return run(["cargo", command, "--locked", *arguments], env=environment, cwd=ROOT, timeout=CARGO_SECONDS, show=show)


# --- With the deployed stack.


def check_sample_events(stack):
    answers = {
        "PostHandler": lambda answer: answer["statusCode"] == 401,
        "StatusApi": lambda answer: answer["statusCode"] == 200,
        "FollowFetcher": lambda answer: answer == {"batchItemFailures": []},
        "JobHandler": lambda answer: answer == {"batchItemFailures": []},
        "MediaHandler": lambda answer: answer == {"batchItemFailures": []},
        "StreamHandler": lambda answer: answer == {"batchItemFailures": []},
        "OutboxSweeper": lambda answer: answer is None,
    }
    for function, is_right in answers.items():
        answer, error = stack.invoke(function, ROOT / "events" / f"{FUNCTIONS[function]}.json")
        expect(not error and is_right(answer), f"{function} returned {answer} ({error})")


class Scene:
    """An author, followers, and the expected contents of their feeds."""

    def __init__(self, emulator, stack):
        self.emulator, self.stack = emulator, stack
        self.api = Api(stack.url())
        self.sqs = emulator.client("sqs")
        self.author, self.followers = None, []
        # The posts in every feed, newest last; and the one waiting for the sweeper.
        self.arrived, self.unannounced = [], None

    def register_and_follow(self):
        self.author = self.api.register("author")

        def join(number):
            follower = self.api.register(f"follower_{number:03}")
            follower.follow(self.author)
            return follower

        self.followers = for_all(range(FOLLOWERS), join)
        expect(self.author.feed() == [], "a new author's feed is not empty")

    def post_without_postq(self):
        with self.stack.without("PostHandler", "AnnouncesThePost"):
            self.unannounced = self.author.post("This one is not announced")
        expect(self.author.feed() == [self.unannounced], "an author's feed does not show their own post immediately")

    def post_and_check(self, text="Hello, followers!"):
        post = self.author.post(text)
        self.wait_for(post)

    def wait_for(self, post):
        """Waits until every feed has the post, then checks the feeds."""
        waiting = set(self.followers)

        def all_have_it():
            feeds = for_all(waiting, lambda follower: (follower, follower.feed()))
            waiting.difference_update(follower for follower, feed in feeds if post in feed)
            return not waiting

        wait_until(f"all {len(self.followers)} feeds hold {post}", all_have_it, timeout=FAN_OUT_SECONDS)
        self.arrived.append(post)
        self.check_feeds()

    def check_feeds(self):
        """Checks that each feed has each post once, newest first, and no other; the unannounced one may arrive anytime."""
        expected = sorted(self.arrived, reverse=True)
        late = {self.unannounced} - set(self.arrived)

        def check(follower):
            feed = follower.feed()
            expect(len(feed) == len(set(feed)), f"{follower.id} has a post twice: {feed}")
            expect([post for post in feed if post not in late] == expected, f"{follower.id} has {feed}, expected {expected}")

        for_all(self.followers, check)

    def react(self):
        """Some followers like and comment on the last post; one like and one comment are removed."""
        post, fans = self.arrived[-1], self.followers[:20]

        def react(fan):
            fan.call("PUT", f"/v1/posts/{post}/like", status=204)
            return fan.call("POST", f"/v1/posts/{post}/comments", body={"text": "Hello!"}, status=201)

        comments = for_all(fans, react)
        fans[0].call("DELETE", f"/v1/posts/{post}/like", status=204)
        self.author.call("DELETE", f"/v1/posts/{post}/comments/{comments[0]['comment_id']}", status=204)
        acts = len(fans) - 1
        shown = self.author.call("GET", f"/v1/posts/{post}/likes?limit=100", status=200)["items"]
        expect(len(shown) == acts, f"{len(shown)} likes are listed, expected {acts}")

        def counted():
            found = fans[1].call("GET", f"/v1/posts/{post}", status=200)
            profile = fans[1].call("GET", f"/v1/users/{self.author.id}", status=200)
            counts = (found["likes_count"], found["comments_count"], profile["followers_count"])
            return found["liked_by_me"] and counts == (acts, acts, FOLLOWERS)

        wait_until(f"the post has {acts} likes and comments, its author {FOLLOWERS} followers", counted,
                   timeout=CHANGES_SECONDS)  # fmt: skip
        page = self.author.call("GET", "/v1/notifications?limit=1", status=200)
        expected = FOLLOWERS + 2 * acts
        expect(page["unread_count"] == expected, f"{page['unread_count']} unread notifications, expected {expected}")
        newest = page["items"][0]["notification_id"]
        self.author.call("PUT", "/v1/notifications/read", body={"up_to": newest}, status=204)
        left = self.author.call("GET", "/v1/notifications?limit=1", status=200)["unread_count"]
        expect(left == 0, f"{left} notifications are unread after all were marked as read")
        newcomer = self.api.register("newcomer")
        newcomer.follow(self.author)
        expect(newcomer.feed() == sorted([*self.arrived, self.unannounced], reverse=True), "a follow does not backfill at once")
        newcomer.call("DELETE", f"/v1/users/{self.author.id}/follow", status=204)
        expect(newcomer.feed() == [], "an unfollow does not hide at once")

    def delete_and_restore(self):
        """A deleted post disappears from every feed and is restored; a deleted account disappears with its likes."""
        post, leaver = self.arrived[-1], self.api.register("leaver")
        likes = self.author.call("GET", f"/v1/posts/{post}", status=200)["likes_count"]
        leaver.call("PUT", f"/v1/posts/{post}/like", status=204)

        def likes_are(number):
            shown = self.author.call("GET", f"/v1/posts/{post}", status=200)["likes_count"]
            return shown == number

        wait_until("the like is counted", lambda: likes_are(likes + 1), timeout=CHANGES_SECONDS)
        leaver.call("DELETE", "/v1/users/me", body={"password": PASSWORD}, status=202)
        self.author.call("GET", f"/v1/users/{leaver.id}", status=404)
        wait_until("the like of a deleted account is gone", lambda: likes_are(likes), timeout=CHANGES_SECONDS)
        self.api.call("POST", "/v1/auth/login", body={"handle": "leaver", "password": PASSWORD}, status=401)

        self.author.call("DELETE", f"/v1/posts/{post}", status=204)
        self.author.call("GET", f"/v1/posts/{post}", status=404)
        expect(post not in self.followers[0].feed(), "a deleted post is in a feed")
        self.tweeter("restore-post", post)
        self.check_feeds()
        wait_until("a restored post has its likes", lambda: likes_are(likes), timeout=CHANGES_SECONDS)

    def poison_every_queue(self):
        for queue in ("PostQ", "JobQ", "ChangeQ"):
            body = f"no message for {queue}"
            self.sqs.send_message(QueueUrl=self.stack.outputs[f"{queue}Url"], MessageBody=body)
        # Poison does not block later messages.
        self.post_and_check("Past the poison")
        for queue in ("PostQ", "JobQ", "ChangeQ"):
            letter = self.next_dead_letter(queue)
            expect(letter["Body"] == f"no message for {queue}", f"unexpected dead letter of {queue}: {letter}")
            self.sqs.delete_message(QueueUrl=self.dead_letters(queue), ReceiptHandle=letter["ReceiptHandle"])

    def dead_letters(self, queue):
        return self.stack.outputs[queue.replace("Q", "DLQ") + "Url"]

    def next_dead_letter(self, queue):
        def receive():
            return self.sqs.receive_message(QueueUrl=self.dead_letters(queue), WaitTimeSeconds=2).get("Messages")

        return wait_until(f"{queue} has a dead letter", receive, timeout=DEAD_LETTER_SECONDS)[0]

    def lose_a_permission_and_redrive(self):
        jobs = -(-FOLLOWERS // FOLLOWERS_PER_JOB)
        with self.stack.without("JobHandler", "WritesFeedEntries"):
            post = self.author.post("This one has to be redriven")

            def letters_of_all_jobs():
                return self.depth("JobDLQ") == jobs

            wait_until(f"{jobs} jobs are dead letters", letters_of_all_jobs, timeout=DEAD_LETTER_SECONDS)
            self.check_feeds()
        self.check_that_nothing_is_lost(post)
        redriven = self.tweeter("dlq", "redrive", "JobQ")
        expect(redriven["messages"] == jobs, f"expected {jobs} redriven messages: {redriven}")
        self.wait_for(post)
        expect(self.depth("JobDLQ") == 0, "dead letters remain after a redrive")

    def check_that_nothing_is_lost(self, post):
        """Checks that the dead letters are the post's jobs and name every follower once."""
        jobs = [json.loads(letter["body"]) for letter in self.tweeter("dlq", "show", "JobQ")]
        expect({job["post_id"] for job in jobs} == {post}, f"jobs of other posts: {jobs}")
        named = sorted(follower for job in jobs for follower in job["followers"])
        expect(named == sorted(follower.id for follower in self.followers), "the jobs do not name every follower once")

    def depth(self, queue):
        states = {state["queue"]: state for state in self.tweeter("queues")}
        return states[queue]["visible"]

    def tweeter(self, *command):
        """Runs an operator's command and returns its JSON output."""
        environment = self.emulator.environment(**self.stack.operator_environment())
        return json.loads(run([program("tweeter"), *command, "--store", "aws", "--json"], env=environment, timeout=COMMAND_SECONDS))

    def loadtest(self):
        command = [program("loadtest"), "fanout", "--url", self.stack.url(), "--stack", NAME]
        # An emulator's timings are meaningless.
        command += ["--followers", LOADTEST_FOLLOWERS, "--no-targets"]
        output = run(command, env=self.emulator.environment(), timeout=LOADTEST_SECONDS)
        for line in output.splitlines():
            say(line)

    def check_that_the_sweeper_found_the_first_post(self):
        post = self.unannounced
        wait_until("a feed holds the unannounced post", lambda: post in self.followers[0].feed(), timeout=SWEEP_SECONDS)
        self.wait_for(post)


def program(name):
    return TARGET / "debug" / name


def delete(emulator, stack):
    dynamodb, sqs = emulator.client("dynamodb"), emulator.client("sqs")
    there = dynamodb.list_tables()["TableNames"]
    expect(set(stack.tables()) <= set(there), f"the stack's tables are missing from {there}")
    stack.delete()
    expect(not stack.exists(), "the stack still exists")
    left = set(stack.tables()) & set(dynamodb.list_tables()["TableNames"])
    expect(not left, f"tables remain: {left}")
    for queue in QUEUES:
        try:
            sqs.get_queue_attributes(QueueUrl=stack.outputs[f"{queue}Url"])
        except botocore.exceptions.ClientError:
            continue
        raise Failed(f"the queue {queue} still exists")


if __name__ == "__main__":
    main()
