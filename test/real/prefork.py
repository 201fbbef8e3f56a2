# SPDX-License-Identifier: GPL-2.0-or-later
"""samples/prefork under hotdev: fifty processes that serve while their handler is edited."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hotdev import case, main, require  # noqa: E402
import load  # noqa: E402
import sample  # noqa: E402

WORKERS, EDITS = 50, 100
PAGE = re.compile(rb"(Hello|Version [0-9]+ says hello) from process ([0-9]+), answer ([0-9]+)\.\n")


class Pages:
    """A worker serves one connection at a time, so each of as many connections as workers has its own."""

    def __init__(self):
        self.pids, self.answers = [0] * WORKERS, [0] * WORKERS

    def check(self, index, body):
        page = PAGE.fullmatch(body)
        require(page, "this is no page:", body)
        pid, answer = int(page[2]), int(page[3])
        if not self.pids[index]:
            self.pids[index], self.answers[index] = pid, answer - 1
        self.answers[index] += 1
        require(pid == self.pids[index] and answer == self.answers[index],
                f"process {self.pids[index]}, answer {self.answers[index]} was expected; this is", body)
        return int(page[1].split()[1]) if page[1] != b"Hello" else 0


def greeting(version):
    return f"Version {version} says hello" if version else "Hello"


def edit(s, clients, version):
    clients.expect(version - 1, version)
    s.edit("handler.c", greeting(version - 1), greeting(version))
    event = s.outcome("live")
    clients.expect(version)
    require(event["processes"] == event["threads"] == WORKERS + 1, "counts:", event)
    clients.wait_for_round()


def everybody(s, port, version):
    """Connections to all workers, each of which shows that version."""
    pages = Pages()
    clients = load.Load(port, WORKERS, pages.check, version)
    clients.wait_for_round()
    require(len(set(pages.pids)) == WORKERS and s.pid not in pages.pids, "who answers:", pages.pids)
    return pages, clients


@case({}, **sample.OPTIONS)
def fifty_workers_switch_together_under_load(s):
    sample.build(s, "prefork")
    s.arguments = ["0", str(WORKERS)]
    s.start()
    port = int(s.line().rpartition(":")[2].rstrip("/"))
    pages, clients = everybody(s, port, 0)
    for version in range(1, EDITS + 1):
        edit(s, clients, version)
    clients.stop()
    before, responses = set(pages.pids), clients.responses

    # Who takes the place of a worker that died has the code of its parent, and is edited like the others.
    victim = pages.pids[0]
    os.kill(victim, signal.SIGKILL)
    require(s.line() == f"worker {victim} ended: Killed", "the parent does not say who ended")
    born = s.wait("process", where=lambda e: e["change"] == "forked" and e["pid"] not in before)
    pages, clients = everybody(s, port, EDITS)
    require(set(pages.pids) == before - {victim} | {born["pid"]}, "the workers are", pages.pids, "and were", before)
    edit(s, clients, EDITS + 1)
    clients.stop()
    lives = s.events("live")
    print(f"# {s.point.name}: {responses + clients.responses} responses, {len(lives)} edits by "
          f"{sorted({m['compiler'] for e in lives for m in e['modules']})}; median save to live "
          f"{sorted(e['save_to_live_ms'] for e in lives)[len(lives) // 2]:.0f} ms, pause "
          f"{sorted(e['pause_us'] for e in lives)[len(lives) // 2] / 1000:.1f} ms", flush=True)
    os.kill(s.pid, signal.SIGTERM)
    s.finish(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
