"""Runs commands in turns (A B A B ...) and compares the times that they print.

    side_by_side.py [--runs N] [--unit TEXT] NAME=COMMAND ...

A command is one for bash. It prints one time a line; the first is the warm-up's. A run's time is the median
of the others, and the table has the median of the runs, the smallest and largest run, the ratio of the
medians to the first command's, the first time, and the peak resident memory of the run's largest process.
"""

import argparse
import os
import statistics
import subprocess
import sys


class Run:
    def __init__(self, name, command):
        process = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdout=subprocess.PIPE, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"error: {name} ended with exit code {process.returncode}")
        times = [float(line) for line in output.split()]
        if len(times) < 2:
            sys.exit(f"error: {name} printed {len(times)} times; 2 or more are needed")
        self.first = times[0]
        self.median = statistics.median(times[1:])
        self.peak_gb = usage.ru_maxrss * 1024 / 1e9


def number(value):
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def table(runs_by_name, unit):
    rows = [("", unit, "smallest", "largest", "ratio", "first", "peak memory")]
    base = None
    for name, runs in runs_by_name.items():
        medians = [run.median for run in runs]
        middle = statistics.median(medians)
        base = base or middle
        first = statistics.median(run.first for run in runs)
        peak = max(run.peak_gb for run in runs)
        rows.append((name, number(middle), number(min(medians)), number(max(medians)),
                     f"{middle / base:.2f}", number(first), f"{peak:.2f} GB"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width
                                                             in zip(row[1:], widths[1:])]) for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--unit", default="time")
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    commands = dict(text.split("=", 1) for text in options.commands)
    runs = {name: [] for name in commands}
    for turn in range(options.runs):
        for name, command in commands.items():
            runs[name].append(Run(name, command))
            print(f"run {turn + 1} of {options.runs}: {name} {number(runs[name][-1].median)} {options.unit}",
                  file=sys.stderr, flush=True)
    print(table(runs, options.unit))


if __name__ == "__main__":
    main()
