# SPDX-License-Identifier: GPL-2.0-or-later
"""samples/httpd under hotdev: connections that stay open and in use while its pages are edited."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402
import load  # noqa: E402
import sample  # noqa: E402

CONNECTIONS, WORKERS, EDITS = 20, 4, 50
PAGE = re.compile(rb"""<!doctype html>
<title>httpd</title>
<meta http-equiv="refresh" content="1">
<h1>(Hello, world\.|This is version [0-9]+, and again [0-9]+\.)</h1>
<p>Worker ([0-9]+), connection ([0-9]+), request ([0-9]+) on it\.</p>
""")


class Pages:
    """What each connection has seen: it keeps its worker, and the server counts its requests."""

    def __init__(self):
        self.requests, self.workers = [0] * CONNECTIONS, [0] * CONNECTIONS

    def check(self, index, body):
        page = PAGE.fullmatch(body)
        require(page, "this is no page:", body)
        worker, connection, number = (int(n) for n in page.group(2, 3, 4))
        self.requests[index] += 1
        self.workers[index] = self.workers[index] or worker
        require(number == self.requests[index] and connection == index + 1 and worker == self.workers[index],
                f"connection {index + 1}, request {self.requests[index]}, worker {self.workers[index]} got", body)
        said = [int(n) for n in re.findall(rb"[0-9]+", page[1])] or [0, 0]
        require(said[0] == said[1], "two versions in one page:", body)
        return said[0]


def greeting(version):
    return f"This is version {version}, and again {version}." if version else "Hello, world."


def serve(s):
    sample.build(s, "httpd")
    s.arguments = ["0", str(WORKERS)]
    s.start()
    port = int(s.line().rpartition(":")[2].rstrip("/"))
    pages = Pages()
    return pages, load.Load(port, CONNECTIONS, pages.check, 0)


def edit(s, clients, old, new):
    clients.expect(old, new)
    s.edit("handler.c", greeting(old), greeting(new))
    event = s.outcome("live")
    clients.expect(new)
    require(event["threads"] == WORKERS + 1 and event["processes"] == 1, "counts:", event)
    require([m["module"] for m in event["modules"]] == ["handler.c"], "modules:", event)
    clients.wait_for_round()


@case({}, **sample.OPTIONS)
def httpd_is_edited_while_twenty_connections_are_in_use(s):
    pages, clients = serve(s)
    clients.wait_for_round()
    require(set(pages.workers) == set(range(1, WORKERS + 1)), "the workers that answer are", pages.workers)
    for version in range(EDITS):
        edit(s, clients, version, version + 1)
    last = s.events("live")[-1]
    if last["modules"][0]["compiler"] == "tcc":
        s.wait("promoted", where=lambda e: e["transaction"] == last["transaction"])
        clients.wait_for_round()

    s.edit("handler.c", "q->number);", "q->number)")
    s.failed()
    clients.wait_for_round()
    s.edit("handler.c", "q->number)\n", "q->number);\n")
    s.unchanged()
    clients.expect(EDITS, EDITS - 1)
    s.undo()
    clients.expect(EDITS - 1)
    clients.wait_for_round()
    clients.expect(EDITS - 1, EDITS)
    s.redo()
    clients.expect(EDITS)
    clients.wait_for_round()
    clients.stop()
    lives = s.events("live")
    print(f"# {s.point.name}: {clients.responses} responses, {len(lives)} edits by "
          f"{sorted({m['compiler'] for e in lives for m in e['modules']})}, {len(s.events('promoted'))} promoted; "
          f"save to live, ms: {sorted(e['save_to_live_ms'] for e in lives)[len(lives) // 2]:.0f} (median)", flush=True)
    os.kill(s.pid, signal.SIGTERM)
    s.finish(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
