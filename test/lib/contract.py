# SPDX-License-Identifier: GPL-2.0-or-later
"""What every line of a journal must look like: the event table of the command's contract."""

NUMBER = (int, float)


class Optional:
    """A key that may be absent or null."""

    def __init__(self, kind):
        self.kind = kind


POSITION = {"file": str, "line": int, "column": Optional(int)}
PLACE = {"function": Optional(str), "module": Optional(str), "version": Optional(int),
         "file": Optional(str), "line": Optional(int)}
THREAD_PLACE = {"pid": int, "tid": int, "thread": str, **PLACE}
MODULE = {"module": str, "version": int, "compiler": Optional(str), "functions": [str], "data": [str]}
DIAGNOSTIC = {"file": Optional(str), "line": Optional(int), "column": Optional(int), "severity": str, "message": str}
APPLIED = {"transaction": int, "modules": [MODULE], "processes": int, "threads": int, "save_to_live_ms": NUMBER,
           "compile_ms": NUMBER, "link_ms": NUMBER, "pause_us": NUMBER}

EVENTS = {
    "ready": {"pid": int, "program": str, "modules": int, "startup_ms": NUMBER},
    "saved": {"files": [str], "joined": Optional(bool)},
    "failed": {"files": [str], "compiler": Optional(str), "diagnostics": [DIAGNOSTIC]},
    "held": {"modules": [str], "code": str, "reason": str, "where": Optional(dict), "remedy": str},
    "waiting": {"modules": [str], "blockers": [THREAD_PLACE]},
    "live": APPLIED,
    "unchanged": {"files": [str]},
    "promoted": APPLIED,
    "pinned": THREAD_PLACE,
    "released": THREAD_PLACE,
    "undone": APPLIED,
    "redone": APPLIED,
    "purged": {"module": str, "version": int, "bytes": int},
    "process": {"pid": int, "ppid": Optional(int), "change": str, "status": Optional(int)},
    "crashed": {"pid": int, "tid": int, "signal": (int, str), "stack": [PLACE]},
    "warning": {"code": str, "message": str, "file": Optional(str), "line": Optional(int), "column": Optional(int)},
}
OUTCOMES = ("live", "failed", "held", "unchanged")


def mistakes(value, kind, path):
    """Sentences about where value is not of this kind."""
    if isinstance(kind, Optional):
        return [] if value is None else mistakes(value, kind.kind, path)
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{path} is {value!r}, not an array"]
        return [m for i, each in enumerate(value) for m in mistakes(each, kind[0], f"{path}[{i}]")]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return [f"{path} is {value!r}, not an object"]
        found = []
        for key, part in kind.items():
            if key in value:
                found += mistakes(value[key], part, f"{path}.{key}")
            elif not isinstance(part, Optional):
                found.append(f"{path} lacks {key}")
        return found
    if (isinstance(value, bool) and kind is not bool) or not isinstance(value, kind):
        return [f"{path} is {value!r}"]
    return []


def check_event(event):
    name = event.get("event")
    if name not in EVENTS:
        return [f"an event called {name!r}"]
    return mistakes(event, {"v": int, "t": NUMBER, **EVENTS[name]}, name)


def check_journal(events):
    """Mistakes of a whole journal, whose session has come to an end."""
    found = [m for event in events for m in check_event(event)]
    last = 0
    for event in events:
        if event.get("t", 0) < last:
            found.append(f"{event['event']} goes back in time, to {event['t']}")
        last = event.get("t", 0)
    if events and events[0]["event"] not in ("ready", "process", "warning"):
        found.append(f"the journal begins with {events[0]['event']}")
    saves, outcomes, applied = 0, 0, 0
    for event in events:
        # One that joins an earlier save shares its outcome.
        saves += event["event"] == "saved" and not (event.get("joined") and saves > outcomes)
        outcomes += event["event"] in OUTCOMES
        if outcomes > saves:
            found.append(f"an outcome ({event['event']}) without a save")
            outcomes = saves
        if event["event"] in ("live", "undone", "redone") and not found:
            if event["event"] == "live" and event["transaction"] <= applied:
                found.append(f"transaction {event['transaction']} came after {applied}")
            applied = max(applied, event["transaction"])
    if saves != outcomes:
        found.append(f"{saves} saves had {outcomes} outcomes")
    return found
