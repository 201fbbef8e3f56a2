# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as tables in Markdown: ways are lines, subjects are columns."""

import os

import rows
from setting import SOURCE

TITLES = {
    "save": ("Save to live", "Milliseconds from a finished write to the new code running: median (least to most). "
             "hotdev's figures include the 3 ms for which it waits whether more is being saved (`--settle`). Loading "
             "by hand is only the building and the loading, without a change of who calls it, and in order to do it "
             "at all Lua's internal functions were made visible."),
    "server": ("A server that is edited while it serves", "`samples/httpd` or Erlang's own server, with 100 "
               "connections that stay open and ask 100 times a second each (wrk, on the loopback interface); the page is edited "
               "every 100 ms for 30 s, or as often as the way allows."),
    "pause": ("How long the program stands still", "Ten functions are redirected."),
    "call": ("What a call costs", "Of a function that does next to nothing, 100 million times."),
    "startup": ("Against the size of the program", "Generated programs, built with `-g -O0`."),
    "cost": ("While nobody edits", "A program of ten files."),
    "endurance": ("Endurance", "Edits of one function, one after the other, by libtcc."),
}
BEGIN, END = "<!-- bench/run --readme writes from here -->", "<!-- to here -->"


class Result:
    def __init__(self, lines):
        self.run = lines[0]["run"]
        self.rows = [row for row in lines[1:] if "way" in row]
        self.series = [row for row in lines[1:] if "series" in row]

    def column(self, key):
        """The values of that key, once each, as they come."""
        return list(dict.fromkeys(row[key] for row in self.rows))


def read(folder, sections):
    """section -> Result, of those that have one."""
    paths = {section: os.path.join(folder, f"{section}.jsonl") for section in sections}
    return {section: Result(rows.read(path)) for section, path in paths.items() if os.path.exists(path)}


def number(value):
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(row):
    if row is None:
        return ""
    if "missing" in row:
        return f"*{row['missing']}*"
    note = f" *{row['note']}*" if "note" in row else ""
    if row["rounds"] == 1:
        return number(row["median"]) + note
    return f"**{number(row['median'])}** ({number(row['min'])} to {number(row['max'])}){note}"


def table(result):
    at = {(row["way"], row["subject"]): row for row in result.rows}
    units = {row["subject"]: row.get("unit", "") for row in reversed(result.rows) if "unit" in row}
    subjects = result.column("subject")
    heads = [subject + (f", {units[subject]}" if units.get(subject) else "") for subject in subjects]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(subjects)]
    for way in result.column("way"):
        lines.append(f"| {way} | " + " | ".join(cell(at.get((way, subject))) for subject in subjects) + " |")
    return "\n".join(lines)


def machines(results):
    """What the figures were measured on: one sentence for each run that differs."""
    runs = {}
    for section, result in results.items():
        key = tuple(sorted((k, str(v)) for k, v in result.run.items()))
        runs.setdefault(key, (result.run, []))[1].append(section)
    said = []
    for run, sections in runs.values():
        what = "" if len(runs) == 1 else f" ({', '.join(sections)})"
        quick = " **A quick run: its figures mean nothing.**" if run["quick"] else ""
        said.append(f"Measured on {run['day']} at {run['commit']}{what}: {run['machine']}; {run['system']}; "
                    f"{run['programs']}.{quick}")
    return "\n".join(said)


def markdown(results):
    parts = [machines(results)]
    for section, result in results.items():
        title, about = TITLES[section]
        parts.append(f"### {title}\n\n{about}\n\n{table(result)}")
    return "\n\n".join(parts) + "\n"


def publish(text, plots):
    """Into README.md, between the marks, with the plots of doc/bench/."""
    path = os.path.join(SOURCE, "README.md")
    with open(path, encoding="utf-8") as file:
        before, begin, rest = file.read().partition(BEGIN)
        _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md has no place for the figures: {BEGIN} ... {END}")
    images = "".join(f"![{os.path.splitext(name)[0]}](doc/bench/{name})\n" for name in plots)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}\n{images}{END}{after}")
