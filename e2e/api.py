"""A client of the deployed API."""

import http.client
import json
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from terminal import Failed

# A cold start of an emulated function takes seconds, on a slow and busy machine minutes.
ANSWER_SECONDS = 600
# A connection idle for longer is not reused: the emulator closes it after 75 s, the service sooner.
REUSE_SECONDS = 3
# Access tokens live 15 minutes, and a run on a slow machine takes longer.
TOKEN_SECONDS = 300
# Methods that are safe to retry. A `POST` may have succeeded although its response was lost.
REPEATABLE = ("GET", "PUT", "DELETE")
# The emulator runs each request in a separate process; more concurrency only adds waiting.
AT_ONCE = 8
PASSWORD = "correct horse battery"


class Api:
    """Calls paths below the base URL, over one connection per thread."""

    def __init__(self, url, *, clock=time.monotonic):
        parts = urllib.parse.urlsplit(url)
        self.url, self.clock = url, clock
        self._host, self._base = parts.netloc, parts.path
        self._local = threading.local()

    def call(self, method, path, *, token=None, body=None, status):
        """Sends one request, checks the status and returns the decoded body."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body)
        answer, text = self._exchange(method, path, data, headers)
        if answer.status != status:
            raise Failed(f"{method} {path} returned {answer.status}, expected {status}: {text[:2000]}")
        return json.loads(text) if text else None

    def _exchange(self, method, path, data, headers):
        """The response. Retries once on a new connection if an idle one was closed and the method is safe to retry."""
        connection, is_used = self._connection()
        try:
            try:
                return self._send(connection, method, path, data, headers)
            except (ConnectionError, http.client.BadStatusLine):
                if not is_used or method not in REPEATABLE:
                    raise
                connection.close()
                return self._send(connection, method, path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed(f"{method} {path} got no response: {error!r}") from error

    def _connection(self):
        """This thread's connection, and whether it is reused."""
        connection = getattr(self._local, "connection", None)
        if connection is not None and self.clock() - self._local.used_at <= REUSE_SECONDS:
            return connection, True
        self.close()
        self._local.connection = http.client.HTTPConnection(self._host, timeout=ANSWER_SECONDS)
        return self._local.connection, False

    def close(self):
        """Closes this thread's connection."""
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            connection.close()

    def _send(self, connection, method, path, data, headers):
        connection.request(method, self._base + path, data, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        self._local.used_at = self.clock()
        return answer, text

    def register(self, handle):
        body = {"handle": handle, "email": f"{handle}@example.org", "password": PASSWORD}
        session = self.call("POST", "/v1/auth/register", body=body, status=201)
        return User(self, session)


class User:
    """A registered user, kept logged in for the whole run."""

    def __init__(self, api, session):
        self.api, self.id = api, session["user"]["user_id"]
        self._session, self._issued_at, self._lock = session, api.clock(), threading.Lock()

    @property
    def token(self):
        """An access token that stays valid for minutes."""
        with self._lock:
            if self.api.clock() - self._issued_at > TOKEN_SECONDS:
                body = {"refresh_token": self._session["refresh_token"]}
                self._session = self.api.call("POST", "/v1/auth/refresh", body=body, status=200)
                self._issued_at = self.api.clock()
            return self._session["access_token"]

    def follow(self, other):
        self.api.call("PUT", f"/v1/users/{other.id}/follow", token=self.token, status=204)

    def post(self, text):
        """Publishes a post and returns its id."""
        return self.api.call("POST", "/v1/posts", token=self.token, body={"text": text}, status=201)["post_id"]

    def call(self, method, path, *, body=None, status):
        """Sends one request as this user."""
        return self.api.call(method, path, token=self.token, body=body, status=status)

    def feed(self):
        """The ids of all posts in the feed, in page order: newest first."""
        ids, cursor = [], ""
        while cursor is not None:
            path = f"/v1/feed?limit=100&cursor={cursor}" if cursor else "/v1/feed?limit=100"
            page = self.api.call("GET", path, token=self.token, status=200)
            ids += [post["post_id"] for post in page["items"]]
            cursor = page["next_cursor"]
        return ids


def for_all(things, action):
    """Runs the action on all things concurrently. Returns the results in order; raises the first failure."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(action, things))
