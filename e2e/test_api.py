"""Tests the harness's connections and tokens, with servers that close idle connections.

    python3 -m unittest discover -s e2e
"""

import contextlib
import json
import socket
import threading
import unittest

from api import REUSE_SECONDS, TOKEN_SECONDS, Api, User
from terminal import Failed


class Clock:
    """A clock set by the test."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Server:
    """Responds to a given number of requests per connection, then closes it without a response, as if it had been idle for too
    long; with 0 it closes the connection at the first request."""

    def __init__(self, per_connection):
        self.requests, self.closed = [], threading.Semaphore(0)
        self._per_connection = iter(per_connection)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:{}".format(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        for count in self._per_connection:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                for _ in range(count):
                    if not self._note(reader):
                        break
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                if count == 0:
                    self._note(reader)
            self.closed.release()

    def _note(self, reader):
        line = reader.readline().decode().strip()
        length = 0
        while (header := reader.readline().strip()) != b"":
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        reader.read(length)
        if line:
            self.requests.append(line.removesuffix(" HTTP/1.1"))
        return bool(line)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Connections(unittest.TestCase):
    def serve(self, *per_connection):
        server, clock = Server(per_connection), Clock()
        self.addCleanup(server.close)
        api = Api(server.url, clock=clock)
        self.addCleanup(api.close)
        return server, clock, api

    def test_a_repeatable_request_replaces_a_closed_connection(self):
        for method in ("GET", "PUT", "DELETE"):
            with self.subTest(method):
                server, _, api = self.serve(1, 1)
                api.call(method, "/first", status=200)
                server.closed.acquire()
                api.call(method, "/second", status=200)
                self.assertEqual(server.requests, [f"{method} /first", f"{method} /second"])

    def test_a_post_after_a_pause_takes_a_new_connection(self):
        server, clock, api = self.serve(1, 1)
        api.call("POST", "/first", body={}, status=200)
        server.closed.acquire()
        clock.now += REUSE_SECONDS + 1
        api.call("POST", "/second", body={}, status=200)
        self.assertEqual(server.requests, ["POST /first", "POST /second"])

    def test_a_connection_in_use_is_kept(self):
        server, clock, api = self.serve(3)
        for _ in range(3):
            api.call("POST", "/", body={}, status=200)
            clock.now += REUSE_SECONDS - 1
        self.assertEqual(len(server.requests), 3)

    def test_a_post_is_never_sent_twice(self):
        server, _, api = self.serve(1, 1, 1)
        api.call("POST", "/first", body={}, status=200)
        server.closed.acquire()
        with self.assertRaises(Failed):
            api.call("POST", "/second", body={}, status=200)
        api.call("POST", "/third", body={}, status=200)
        self.assertEqual(server.requests, ["POST /first", "POST /third"])

    def test_a_request_is_retried_only_once(self):
        server, _, api = self.serve(1, 0, 1)
        api.call("GET", "/first", status=200)
        server.closed.acquire()
        with self.assertRaises(Failed):
            api.call("GET", "/second", status=200)
        self.assertEqual(server.requests, ["GET /first", "GET /second"])

    def test_no_response_on_a_new_connection_fails(self):
        server, _, api = self.serve(0, 1)
        with self.assertRaises(Failed):
            api.call("GET", "/first", status=200)
        self.assertEqual(server.requests, ["GET /first"])


class Tokens(unittest.TestCase):
    def test_refreshing_uses_the_newest_refresh_token(self):
        calls, clock = [], Clock()

        class Calls:
            def __init__(self):
                self.clock = clock

            def call(self, method, path, *, body, status):
                calls.append(f"{method} {path} {json.dumps(body)}")
                return {"access_token": f"access{len(calls)}", "refresh_token": f"refresh{len(calls)}"}

        user = User(Calls(), {"user": {"user_id": "u"}, "access_token": "access0", "refresh_token": "refresh0"})
        tokens = []
        for _ in range(3):
            tokens += [user.token, user.token]
            clock.now += TOKEN_SECONDS + 1
        self.assertEqual(tokens, ["access0", "access0", "access1", "access1", "access2", "access2"])
        refreshes = ['POST /v1/auth/refresh {"refresh_token": "refresh%d"}' % number for number in (0, 1)]
        self.assertEqual(calls, refreshes)


if __name__ == "__main__":
    unittest.main()
