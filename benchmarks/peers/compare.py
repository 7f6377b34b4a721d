"""Runs the sides of benchmarks/peers/run.sh in turns and writes their table.

    compare.py FOLDER --reference DIR --bin DIR --table FILE [--kinds "leaf eager ..."] [--rounds N] [--calls N]
               [--batch N] [--threads N]

FOLDER is what prepare.py made. Each side is a program of its own that stays loaded and runs CALLS times per
round (leaf_bench --serve, serve.py), of which the median counts. Where the memory is too small for one more to
stay, it is started again in each round. A side that fails is in the table as failed; the others go on.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
from safetensors.numpy import load_file

PAUSE_S = 0.2  # lets the threads of the side before fall asleep
TYPICAL_NEED_GB = 4.0


class SideFailed(Exception):
    pass


class Side:
    """One runtime: its program, when it is running, and its figures."""

    def __init__(self, name, command, output):
        self.name, self.command, self.output = name, command, output
        self.process = None
        self.stays = True
        self.failed = False
        self.first = None
        self.milliseconds = []
        self.peak_gb = 0.0

    def ask(self, line=""):
        """The next line of answers, after `line` has gone in."""
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError) as failure:
            raise SideFailed(f"no answer; exit code {self.end()}") from failure
        self.peak_gb = max(self.peak_gb, answer["peak_gb"])
        return answer

    def start(self):
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            figures = self.ask()
            self.first = self.first or figures

    def run(self, calls):
        """One turn. A processor that has just been idle is slow: the median of several calls counts."""
        self.start()
        time.sleep(PAUSE_S)
        self.milliseconds.append(statistics.median(self.ask("\n")["ms"] for _ in range(calls)))
        if not self.stays:
            self.stop()

    def end(self):
        """Closes its input, upon which it writes its probability and ends; its exit code."""
        process, self.process = self.process, None
        process.communicate()
        return process.returncode

    def stop(self):
        if self.process is not None and (code := self.end()) != 0:
            raise SideFailed(f"exit code {code}")

    def attempt(self, action):
        """action(), unless this side has failed before."""
        if not self.failed:
            try:
                action()
            except SideFailed as failure:
                self.failed = True
                print(f"{self.name}: failed: {failure}", file=sys.stderr, flush=True)


def available_gb():
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(text.split("MemAvailable:")[1].split()[0]) * 1024 / 1e9


def load_all(sides):
    """Starts them one after the other, so that none disturbs another's first call."""
    need = TYPICAL_NEED_GB
    for side in sides:
        side.stays = available_gb() >= 2 * need  # for this one, and for one more that comes and goes
        side.attempt(side.start)
        need = max(need, side.peak_gb)
        if not side.failed:
            print(f"{side.name}: loaded, first call {side.first['first_ms']:.0f} ms", file=sys.stderr, flush=True)
            if not side.stays:
                side.attempt(side.stop)


def run_rounds(sides, rounds, calls):
    for turn in range(rounds):
        for side in sides:
            side.attempt(lambda: side.run(calls))
            if not side.failed:
                print(f"round {turn + 1} of {rounds}: {side.name} {side.milliseconds[-1]:.0f} ms per image",
                      file=sys.stderr, flush=True)
    for side in sides:
        side.attempt(side.stop)


def relative_error(side, truth):
    result = load_file(side.output)["probability"].astype(numpy.float64)
    return numpy.linalg.norm(result - truth) / numpy.linalg.norm(truth)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def table(sides, truth):
    rows = ["| side | ms per image, median (smallest to largest) | ratio | first call ms | load s | peak memory GB "
            "| relative error of the probability |", "| --- | --- | --- | --- | --- | --- | --- |"]
    base = None
    for side in sides:
        if side.failed:
            rows.append(f"| {side.name} | failed | | | | | |")
            continue
        median = statistics.median(side.milliseconds)
        base = base or median
        spread = f"{median:.0f} ({min(side.milliseconds):.0f} to {max(side.milliseconds):.0f})"
        rows.append(f"| {side.name} | {spread} | {median / base:.2f} | {side.first['first_ms']:.0f} | "
                    f"{side.first['load_s']:.2f} | {side.peak_gb:.2f} | {relative_error(side, truth):.1e} |")
    return "\n".join(rows)


def make_sides(options):
    def path(name):
        return str(options.folder / name)

    model = path("model")
    inputs = path(f"inputs-{options.batch}.safetensors")
    for kind in options.kinds.split():
        output = path(f"result-{kind}.safetensors")
        pathlib.Path(output).unlink(missing_ok=True)
        shared = ["--model", model, "--inputs", inputs, "--output", output, "--threads", str(options.threads)]
        if kind in ("leaf", "leaf-bf16"):
            precision = "bf16" if kind == "leaf-bf16" else "fp32"
            command = [f"{options.bin}/leaf_bench", "--serve", "--device", "cpu", "--precision", precision, "--quiet"]
        else:
            onnx = path(f"model-{options.batch}{'-int8' if kind.endswith('-int8') else ''}.onnx")
            serve = str(pathlib.Path(__file__).with_name("serve.py"))
            command = [sys.executable, serve, kind, "--reference", options.reference, "--onnx", onnx]
        yield Side(kind, command + shared, output)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    for name in ("reference", "bin", "table"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--kinds", default="leaf eager")
    for name, default in (("rounds", 5), ("calls", 3), ("batch", 1), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    truth = load_file(options.folder / f"float64-{options.batch}.safetensors")["probability"]
    sides = list(make_sides(options))
    load_all(sides)
    run_rounds(sides, options.rounds, options.calls)
    resolution = truth.shape[-1]
    text = (f"{cpu_name()}, {options.threads} threads; {resolution}x{resolution}, batch {options.batch}, one step; "
            f"{options.rounds} rounds in turns, {options.calls} calls in each. Ratio: to the first median below.\n\n{table(sides, truth)}\n")
    pathlib.Path(options.table).write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
