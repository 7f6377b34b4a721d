"""Writes tests/fixtures/data/coco_runs.json: masks as rows of 0 and 1, and pycocotools' run lengths of them.

    make_coco_fixtures.py       needs pycocotools and numpy
"""

import json
from pathlib import Path

import numpy
from pycocotools import mask as coco


def masks():
    random = numpy.random.default_rng(1)
    yield numpy.zeros((3, 5), numpy.uint8)
    yield numpy.ones((4, 2), numpy.uint8)
    yield numpy.eye(7, dtype=numpy.uint8)
    yield numpy.pad(numpy.ones((1, 1), numpy.uint8), ((0, 40), (0, 60)))  # runs of more than ten bits
    for height, width in ((1, 9), (9, 1), (16, 12), (31, 70)):
        yield (random.random((height, width)) < 0.4).astype(numpy.uint8)


def case(mask):
    counts = coco.encode(numpy.asfortranarray(mask))["counts"].decode()
    return {"rows": ["".join(map(str, row)) for row in mask], "counts": counts}


def main():
    path = Path(__file__).parent.parent / "fixtures/data/coco_runs.json"
    path.write_text(json.dumps([case(mask) for mask in masks()], indent=1) + "\n")


if __name__ == "__main__":
    main()
