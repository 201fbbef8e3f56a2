# SPDX-License-Identifier: GPL-2.0-or-later
"""What a benchmark prints: one JSON object a line.

    {"section", "way", "subject", "unit", "median", "min", "max", "rounds"}   what one way takes for one subject; also
                                                                              "note": what one must know to read it
    {"section", "way", "subject", "missing"}                                  why there is no figure
    {"section", "series", "unit", "points": [[x, y], ...]}                    a curve"""

import json
import statistics


def put(row):
    print(json.dumps(row, ensure_ascii=False), flush=True)


class Section:
    """The rows of one benchmark."""

    def __init__(self, name):
        self.name = name

    def figure(self, way, subject, unit, values, note=None):
        values = sorted(values)
        row = {"section": self.name, "way": way, "subject": subject, "unit": unit,
               "median": statistics.median(values), "min": values[0], "max": values[-1], "rounds": len(values)}
        put({**row, "note": note} if note else row)

    def missing(self, way, subject, why):
        put({"section": self.name, "way": way, "subject": subject, "missing": why})

    def series(self, name, unit, points):
        put({"section": self.name, "series": name, "unit": unit, "points": points})


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
