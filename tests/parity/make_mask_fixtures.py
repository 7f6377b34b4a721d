"""Writes tests/fixtures/data/masks: the same two discs as masks of every kind (Pillow, tifffile, NumPy needed).

    python tests/parity/make_mask_fixtures.py [FOLDER]

A file's name says how it is to be read: "labels" are masks of 0 and 1, or of palette indices, for threshold 0,
all others are black and white, for 128. "upright" is what each of them shows, "square" the same for pictures
that are as high as wide. "-oN" is stored turned, and says so by orientation N.
"""

import pathlib
import sys

import numpy
import tifffile
from PIL import Image

SIZES = {"upright": (16, 24), "square": (24, 24)}
ORIENTATION = 274


def discs(height, width):
    y, x = numpy.mgrid[:height, :width]
    large = (y - 6) ** 2 + (x - 7) ** 2 <= 16
    small = (y - 12) ** 2 + (x - 18) ** 2 <= 4
    return large | small


def stored(shown, orientation):
    """The pixels that orientation N turns into `shown` (EXIF 2.32, table "Orientation")."""
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: numpy.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: numpy.rot90(a, -1),
    }
    return numpy.ascontiguousarray(undo[orientation](shown))


def save(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def palette(indices, colours):
    image = Image.fromarray(indices.astype("u1"), "P")
    image.putpalette([value for colour in colours for value in colour])
    return image


def grey_levels(folder, name, mask):
    white = (mask * 255).astype("u1")
    save(folder / f"{name}-8bit.png", white)
    save(folder / f"{name}-1bit.png", Image.fromarray(white).convert("1"))
    save(folder / f"{name}-16bit.png", mask.astype("u2") * 65535)
    save(folder / f"{name}-16bit-255.png", mask.astype("u2") * 255)
    save(folder / f"{name}-rgb.png", numpy.stack([white] * 3, 2))
    save(folder / f"{name}-red.png", numpy.stack([white, white * 0, white * 0], 2))
    save(folder / f"{name}.bmp", white)
    save(folder / f"{name}-1bit.bmp", Image.fromarray(white).convert("1"))
    save(folder / f"{name}.jpg", white, quality=100)
    save(folder / f"{name}.webp", Image.fromarray(white).convert("RGB"), lossless=True)
    for kind, values in {
        "8bit": white,
        "16bit": mask.astype("u2") * 65535,
        "32bit-255": mask.astype("u4") * 255,
        "float": mask.astype("f4"),
        "float-255": mask.astype("f4") * 255,
        "1bit": mask,
    }.items():
        tifffile.imwrite(folder / f"{name}-{kind}.tif", values, photometric="minisblack")
    tifffile.imwrite(folder / f"{name}-miniswhite.tif", 255 - white, photometric="miniswhite")


def labels(folder, name, mask):
    one = mask.astype("u1")
    save(folder / f"{name}-labels-8bit.png", one)
    save(folder / f"{name}-labels-16bit.png", one.astype("u2"))
    save(folder / f"{name}-labels-300.png", one.astype("u2") * 300)
    tifffile.imwrite(folder / f"{name}-labels-32bit.tif", one.astype("u4"), photometric="minisblack")
    save(folder / f"{name}-labels-palette.png", palette(one, [(0, 0, 0), (128, 0, 0)]))
    save(folder / f"{name}-labels-palette-grey.png", palette(one, [(0, 0, 0), (128, 128, 128)]))
    save(folder / f"{name}-labels-palette.bmp", palette(one, [(0, 0, 0), (128, 0, 0)]))


def palettes_and_alpha(folder, name, mask):
    one, white = mask.astype("u1"), (mask * 255).astype("u1")
    save(folder / f"{name}-palette.png", palette(one, [(0, 0, 0), (255, 255, 255)]))
    save(folder / f"{name}-palette-inverted.png", palette(1 - one, [(255, 255, 255), (0, 0, 0)]))
    save(folder / f"{name}-palette-of-colours.png", palette(one * 2, [(0, 0, 0), (9, 0, 0), (255, 255, 255)]))
    colour = numpy.zeros_like(white)
    save(folder / f"{name}-alpha.png", numpy.stack([colour, colour, colour, white], 2))
    save(folder / f"{name}-alpha-grey.png", numpy.stack([colour + 255, white], 2))


def orientations(folder, name, mask):
    for orientation in range(2, 9):
        white = (stored(mask, orientation) * 255).astype("u1")
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        start = f"{name}-o{orientation}"
        save(folder / f"{start}.png", white, exif=exif)
        save(folder / f"{start}.jpg", white, exif=exif, quality=100)
        save(folder / f"{start}.webp", Image.fromarray(white).convert("RGB"), exif=exif, lossless=True)
        tag = (ORIENTATION, "H", 1, orientation, True)
        tifffile.imwrite(folder / f"{start}.tif", white, photometric="minisblack", extratags=[tag])


def main():
    default = pathlib.Path(__file__).parents[1] / "fixtures" / "data" / "masks"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        mask = discs(*size)
        if name == "upright":
            grey_levels(folder, name, mask)
            labels(folder, name, mask)
            palettes_and_alpha(folder, name, mask)
        else:
            save(folder / f"{name}-8bit.png", (mask * 255).astype("u1"))
        orientations(folder, name, mask)


main()
