"""Writes tests/fixtures/metrics/staple.json: masks of one image as rows of 0 and 1, and what SimpleITK's STAPLE makes of
them: probabilities, sensitivities, specificities.

    make_staple_fixtures.py       needs SimpleITK 2.5 and numpy
"""

import json
from pathlib import Path

import numpy
import SimpleITK


def disc(height, width, row, column, radius):
    y, x = numpy.ogrid[:height, :width]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def cases():
    """Discs that the masks place and size a little differently, with stray pixels."""
    random = numpy.random.default_rng(4)
    for count, height, width in ((2, 9, 12), (3, 12, 9), (5, 16, 14), (10, 12, 16)):
        yield [
            disc(height, width, height / 2 + random.normal(0, 0.8), width / 2 + random.normal(0, 0.8), 3 + random.random())
            ^ (random.random((height, width)) < 0.04)
            for _ in range(count)
        ]
    one = disc(8, 8, 4, 4, 2)
    yield [one, one, one]


def case(masks):
    filter = SimpleITK.STAPLEImageFilter()
    filter.SetForegroundValue(1)
    result = filter.Execute([SimpleITK.GetImageFromArray(mask.astype(numpy.uint8)) for mask in masks])
    return {
        "masks": [["".join("01"[int(pixel)] for pixel in row) for row in mask] for mask in masks],
        "probability": [round(float(value), 7) for value in SimpleITK.GetArrayFromImage(result).flat],
        "sensitivity": list(filter.GetSensitivity()),
        "specificity": list(filter.GetSpecificity()),
    }


def main():
    path = Path(__file__).parent.parent / "fixtures/metrics/staple.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case(masks)) for masks in cases()) + "\n]\n")


if __name__ == "__main__":
    main()
