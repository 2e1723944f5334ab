"""The deployed API as a client sees it."""

import http.client
import json
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from terminal import Failed

# An emulated function that starts cold takes seconds, on a slow and busy machine minutes.
ANSWER_SECONDS = 600
# A connection that was idle for longer is not used again: the emulator closes one after 75 s, the service after less.
REUSE_SECONDS = 3
# Access tokens live 15 minutes, and a run on a slow machine takes longer.
TOKEN_SECONDS = 300
# Requests that may be sent twice. A `POST` may have been done although its answer never came.
REPEATABLE = ("GET", "PUT", "DELETE")
# The emulator runs each request's function in a process of its own; more at once only wait for each other.
AT_ONCE = 8
PASSWORD = "correct horse battery"


class Api:
    """Calls by path below the base URL, over one connection a thread."""

    def __init__(self, url, *, clock=time.monotonic):
        parts = urllib.parse.urlsplit(url)
        self.url, self.clock = url, clock
        self._host, self._base = parts.netloc, parts.path
        self._local = threading.local()

    def call(self, method, path, *, token=None, body=None, status):
        """One request; the decoded body of its answer, which must have this status."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body)
        answer, text = self._exchange(method, path, data, headers)
        if answer.status != status:
            raise Failed(f"{method} {path} answered {answer.status}, not {status}: {text[:2000]}")
        return json.loads(text) if text else None

    def _exchange(self, method, path, data, headers):
        """The answer. A connection that was closed while it was idle is replaced, once, where that is safe."""
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
            raise Failed(f"{method} {path} was not answered: {error!r}") from error

    def _connection(self):
        """This thread's connection, and whether it was used before."""
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
    """A registered user, logged in for as long as the run takes."""

    def __init__(self, api, session):
        self.api, self.id = api, session["user"]["user_id"]
        self._session, self._issued_at, self._lock = session, api.clock(), threading.Lock()

    @property
    def token(self):
        """An access token that is good for minutes."""
        with self._lock:
            if self.api.clock() - self._issued_at > TOKEN_SECONDS:
                body = {"refresh_token": self._session["refresh_token"]}
                self._session = self.api.call("POST", "/v1/auth/refresh", body=body, status=200)
                self._issued_at = self.api.clock()
            return self._session["access_token"]

    def follow(self, other):
        self.api.call("PUT", f"/v1/users/{other.id}/follow", token=self.token, status=204)

    def post(self, text):
        """The id of a new post."""
        return self.api.call("POST", "/v1/posts", token=self.token, body={"text": text}, status=201)["post_id"]

    def call(self, method, path, *, body=None, status):
        """One request of theirs."""
        return self.api.call(method, path, token=self.token, body=body, status=status)

    def feed(self):
        """The ids of every post in the feed, newest first, as the pages have them."""
        ids, cursor = [], ""
        while cursor is not None:
            path = f"/v1/feed?limit=100&cursor={cursor}" if cursor else "/v1/feed?limit=100"
            page = self.api.call("GET", path, token=self.token, status=200)
            ids += [post["post_id"] for post in page["items"]]
            cursor = page["next_cursor"]
        return ids


def for_all(things, action):
    """The action's results in order, several at once; the first failure is raised."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(action, things))
