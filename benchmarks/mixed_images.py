"""Writes images of mixed sizes: mixed_images.py FOLDER COUNT [--distinct N] [--seed N]. Of 100, 98 have fewer than 12 million
pixels (from 0.3 on, mostly of a few), the others up to 6000x4000; four of five are JPEGs, the rest PNGs. They are smooth
with some noise, so that their files are as large as photographs'. With --distinct the images after the first N are links to
those, which spares time and disk. Needs numpy and Pillow."""

import argparse
from pathlib import Path

import numpy
from PIL import Image


def side_lengths(random, index):
    if index % 50 == 49:
        return 6000, 4000
    megapixels = min(11.9, 0.3 * numpy.exp(random.exponential(1.3)))
    height = int((megapixels * 1e6 / 1.5) ** 0.5)
    return int(height * 1.5), height


def picture(random, width, height):
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=numpy.uint8))
    smooth = numpy.asarray(coarse.resize((width, height), Image.BICUBIC), dtype=numpy.int16)
    tile = random.integers(-6, 7, (256, 256, 1), dtype=numpy.int16)
    noise = numpy.tile(tile, (height // 256 + 1, width // 256 + 1, 1))[:height, :width]
    return Image.fromarray(numpy.clip(smooth + noise, 0, 255).astype(numpy.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--distinct", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    random = numpy.random.default_rng(options.seed)
    distinct = min(options.count, options.distinct or options.count)
    pixels = 0
    for index in range(distinct):
        width, height = side_lengths(random, index)
        pixels += width * height
        kind = "png" if index % 5 == 0 else "jpg"
        file = options.folder / f"{index:05}.{kind}"
        picture(random, width, height).save(file, quality=90, compress_level=1)
        for copy in range(index + distinct, options.count, distinct):
            (options.folder / f"{copy:05}.{kind}").hardlink_to(file)
    print(f"{options.count} images, {distinct} of them distinct, {pixels / distinct / 1e6:.1f} million pixels on average")


if __name__ == "__main__":
    main()
