# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep-alive connections in constant use, every response of which is checked.

Each connection always has a request under way, and gets the next one before
the response to it is read. The test says which versions of the page are right
from now on; a response is right if its version was so at any time between its
request and its reading."""

import collections
import re
import socket
import threading

from session import DEADLINE, Failure, require

HEAD = re.compile(rb"HTTP/1\.1 200 OK\r\n(?:[A-Za-z-]+: [^\r\n]+\r\n)*\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n")


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest, self.under_way = b"", collections.deque()

    def send(self, mark):
        self.under_way.append(mark)
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    def more(self):
        fresh = self.socket.recv(65536)
        require(fresh, "the server closed a connection; it had sent", self.rest)
        self.rest += fresh

    def receive(self):
        """The next response's body, and the mark that its request was sent with."""
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, separator, _ = self.rest.partition(b"\r\n\r\n")
        head += separator
        length = LENGTH.search(head)
        require(HEAD.fullmatch(head) and length, "no whole head:", head)
        end = len(head) + int(length[1])
        while len(self.rest) < end:
            self.more()
        body, self.rest = self.rest[len(head):end], self.rest[end:]
        return body, self.under_way.popleft()

    def close(self):
        self.socket.close()


class Load:
    """check(index, body) looks at a response of a connection and returns the version that it shows."""

    def __init__(self, port, count, check, version):
        self.check, self.right = check, [{version}]
        self.changed = threading.Condition()
        self.rounds, self.responses, self.trouble, self.stopped = 0, 0, None, False
        self.connections = [Connection(port) for _ in range(count)]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.send_all()
            while not self.stopped:
                self.send_all()
                self.receive_all()
            self.receive_all()
            require(not any(c.rest for c in self.connections), "more was sent than asked for")
        except (Failure, OSError) as error:
            self.trouble = error
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def send_all(self):
        mark = len(self.right) - 1
        for each in self.connections:
            each.send(mark)

    def receive_all(self):
        for index, each in enumerate(self.connections):
            body, mark = each.receive()
            version = self.check(index, body)
            right = set().union(*self.right[mark:])
            require(version in right, f"connection {index + 1} shows version {version}; right would be {right}")
            self.responses += 1
        with self.changed:
            self.rounds += 1
            self.changed.notify_all()

    def expect(self, *versions):
        """From now on these are right."""
        self.right.append(set(versions))

    def wait_for_round(self):
        """Returns after every connection has answered a request sent after this call."""
        with self.changed:
            # Two are under way.
            wanted = self.rounds + 3
            self.changed.wait_for(lambda: self.stopped or self.rounds >= wanted, DEADLINE)
            require(self.rounds >= wanted, self.trouble or "the server does not answer")

    def stop(self):
        """Reads what is under way and closes."""
        self.stopped = True
        self.thread.join(DEADLINE)
        require(not self.thread.is_alive(), "the server does not answer")
        for each in self.connections:
            each.close()
        if self.trouble:
            raise Failure(f"under load: {self.trouble}")
