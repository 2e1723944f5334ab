"""The deployed API as a client sees it."""

import http.client
import json
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from terminal import Failed

# An emulated function that starts cold on a busy machine takes seconds.
ANSWER_SECONDS = 60
# The emulator runs each request's function in a process of its own; more at once only wait for each other.
AT_ONCE = 8
PASSWORD = "correct horse battery"


class Api:
    """Calls by path below the base URL, over one connection a thread."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.url = url
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
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self._host, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, self._base + path, data, headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Failed(f"{method} {path} was not answered: {error!r}") from error

    def register(self, handle):
        body = {"handle": handle, "email": f"{handle}@example.org", "password": PASSWORD}
        session = self.call("POST", "/v1/auth/register", body=body, status=201)
        return User(self, session["user"]["user_id"], session["access_token"])


class User:
    """Somebody registered and logged in."""

    def __init__(self, api, user_id, token):
        self.api, self.id, self.token = api, user_id, token

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
