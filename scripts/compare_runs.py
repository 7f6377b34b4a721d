#!/usr/bin/env python3
"""Compares two runs of leaf_train that should be the same: the losses of every step, and how far the U-Net's and the image
encoder's weights moved from their start.

    compare_runs.py START ONE OTHER --tolerance 1e-6

START is a model folder, ONE and OTHER are run folders. Prints the largest differences, relative to the loss and to the norm
of the movement, and ends with 1 where one exceeds the tolerance."""

import argparse
import array
import json
import math
import pathlib
import struct
import sys


def weights(folder):
    """All float32 values of unet/ and latent_encoder/, in the order of their names."""
    values = array.array("f")
    for file in sorted(folder.glob("unet/*.safetensors")) + sorted(folder.glob("latent_encoder/*.safetensors")):
        content = file.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        for name in sorted(header.keys() - {"__metadata__"}):
            begin, end = header[name]["data_offsets"]
            values.frombytes(content[8 + length + begin : 8 + length + end])
    return values


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def losses(run):
    """By step; a run that went on may have a step twice, of which the last counts."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if line["phase"] == "train"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=pathlib.Path)
    parser.add_argument("one", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, required=True)
    options = parser.parse_args()
    one, other = losses(options.one), losses(options.other)
    assert one and one.keys() == other.keys(), (sorted(one), sorted(other))
    differences = [abs(one[step] - other[step]) / abs(one[step]) for step in one]
    loss = max(differences)
    start, end, other_end = weights(options.start), weights(options.one / "last"), weights(options.other / "last")
    update = distance(end, other_end) / distance(end, start)
    print(f"{len(one)} steps, losses within {loss:.1e}, updates within {update:.1e} in norm")
    sys.exit(not all(each <= options.tolerance for each in [*differences, update]))  # nan is not


if __name__ == "__main__":
    main()
