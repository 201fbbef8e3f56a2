# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that an end-to-end test needs, in one import."""

from matrix import ALL, Point, Program, points
from session import DEADLINE, Failure, Session, require
from tap import CASES, MAIN, Skip, case, main

__all__ = ["ALL", "CASES", "DEADLINE", "Failure", "MAIN", "Point", "Program", "Session", "Skip", "case", "main",
           "points", "require"]
