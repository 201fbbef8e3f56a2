# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots, by gnuplot: save to live as bars with their spread, endurance as curves."""

import os
import shutil
import subprocess

HEAD = 'set terminal svg size {size} font "sans-serif,13" background "white"\nset output "{output}"\n'
COLOURS = ["#1b6ca8", "#e07a1f", "#4a8f3c", "#a33b4a"]


def block(name, lines):
    return f"${name} << END\n" + "\n".join(lines) + "\nEND\n"


def save_script(result, output):
    """A line of the plot for each way, a mark for each subject, on a logarithmic scale."""
    ways = [way for way in result.column("way") if any(r["way"] == way and "median" in r for r in result.rows)]
    subjects = [s for s in result.column("subject") if any(r["subject"] == s and "median" in r for r in result.rows)]
    at = {way: len(ways) - index for index, way in enumerate(ways)}
    script = [HEAD.format(size=f"980,{150 + 34 * len(ways)}", output=output)]
    for index, subject in enumerate(subjects):
        # Marks of one line stand a little apart.
        shift = (len(subjects) / 2 - 0.5 - index) * 0.14
        script.append(block(f"s{index}", [f"{r['median']} {at[r['way']] + shift} {max(r['min'], 1e-3)} {r['max']}"
                                          for r in result.rows if r["subject"] == subject and "median" in r]))
    tics = ", ".join(f'"{way}" {at[way]}' for way in ways)
    script.append(f"set logscale x\nset xlabel 'save to live, ms'\nset ytics ({tics})\n"
                  f"set yrange [0.3:{len(ways) + 0.7}]\nset xrange [0.004:]\nset grid x\nset tmargin 3.4\n"
                  "set key at screen 0.98, screen 0.99 right top horizontal maxrows 1 samplen 1\nset bars 0.3\n"
                  "set format x '%g'\n")
    script.append("plot " + ", ".join(f"$s{i} using 1:2:3:4 with xerrorbars title '{subject}' lc rgb '{COLOURS[i % 4]}'"
                                      f" pt 7 ps 0.7 lw 1.5" for i, subject in enumerate(subjects)) + "\n")
    return "".join(script)


def endurance_script(result, output):
    script = [HEAD.format(size="980,380", output=output)]
    for index, series in enumerate(result.series):
        script.append(block(f"s{index}", [f"{x} {y}" for x, y in series["points"]]))
    script.append("set xlabel 'reloads'\nset ylabel 'ms'\nset y2label 'MB'\nset ytics nomirror\nset y2tics\n"
                  "set yrange [0:]\nset y2range [0:]\nset grid\nset key bottom center outside horizontal\n"
                  "set format x \"%'g\"\n")
    axes = {"ms": "x1y1", "MB": "x1y2"}
    script.append("plot " + ", ".join(
        f"$s{i} using 1:2 axes {axes[series['unit']]} with lines lw 1.5 lc rgb '{COLOURS[i % 4]}' "
        f"title '{series['series']}, {series['unit']}'" for i, series in enumerate(result.series)) + "\n")
    return "".join(script)


SCRIPTS = {"save": save_script, "endurance": endurance_script}


def draw(results, folder):
    """Writes folder/SECTION.svg; the names of what was drawn. None, where gnuplot is missing."""
    drawn = []
    for section, script in SCRIPTS.items():
        if section not in results or not shutil.which("gnuplot"):
            continue
        os.makedirs(folder, exist_ok=True)
        name = f"{section}.svg"
        subprocess.run(["gnuplot"], input=script(results[section], os.path.join(folder, name)), text=True, check=True)
        drawn.append(name)
    return drawn
