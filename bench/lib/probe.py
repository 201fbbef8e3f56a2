# SPDX-License-Identifier: GPL-2.0-or-later
"""One client that asks all the time, and how long it had no answer."""

import re
import socket
import threading
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PERIOD = 0.002


class Probe:
    """From start() to stop(): downtime_ms is the time from each request that failed to the next answer."""

    def __init__(self, port):
        self.port, self.stopped = port, False
        self.downtime_ms = 0.0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopped = True
        self.thread.join()
        return self

    def run(self):
        connection, down_since = None, None
        while not self.stopped:
            began = time.monotonic()
            try:
                connection = connection or socket.create_connection(("127.0.0.1", self.port), 5)
                answer(connection)
                if down_since is not None:
                    self.downtime_ms += (time.monotonic() - down_since) * 1e3
                down_since = None
            except OSError:
                # A connection that was closed while it was idle is no downtime yet: the next request may be answered.
                down_since = began if down_since is None else down_since
                if connection:
                    connection.close()
                connection = None
                continue
            time.sleep(PERIOD)
        if down_since is not None:
            self.downtime_ms += (time.monotonic() - down_since) * 1e3
        if connection:
            connection.close()


def answer(connection):
    connection.sendall(REQUEST)
    got = b""
    while b"\r\n\r\n" not in got:
        got += received(connection)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: *([0-9]+)", head, re.I)[1])
    while len(body) < length:
        body += received(connection)


def received(connection):
    got = connection.recv(65536)
    if not got:
        raise ConnectionResetError
    return got
