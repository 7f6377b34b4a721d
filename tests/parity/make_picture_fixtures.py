"""Writes pictures in every form that the readers meet, and what independent readers see in them.

    python tests/parity/make_picture_fixtures.py FOLDER [--small]

tifffile, Pillow and imagecodecs write the files; tifffile or Pillow reads them back. FOLDER/expected.json lists for each
file either the samples that leaf::data::read_picture must give, or a part of the one line that names what is not read.
--small writes the few dozen that the repository keeps in tests/fixtures/pictures.
"""

import argparse
import itertools
import json
import pathlib
import zlib

import imagecodecs
import numpy
import tifffile
from PIL import Image

HEIGHT, WIDTH = 11, 19
TYPES = {"u": {1: "byte", 2: "int", 4: "int"}, "i": {1: "int", 2: "int", 4: "int"},
         "f": {2: "float", 4: "float", 8: "float"}, "b": {1: "byte"}}


SMALL = """jpeg-3-tile.tif jpeg-CMYK.jpg jpeg-L.jpg jpeg-RGB-1-True-50.jpg jpeg-RGB-2-False-95.jpg palette-2.png
palette-8.tif pages.tif pillow-1-group3.tif pillow-1-group4.tif pillow-1.bmp pillow-1.png pillow-CMYK-tiff_lzw.tif
pillow-F-raw.tif pillow-I16.png pillow-L.bmp pillow-LA.png pillow-RGB-True-True.webp pillow-RGB.bmp
pillow-RGBA-True-True.webp pillow-RGBA-packbits.tif pillow-RGBA.png imagecodecs-u2-4.png orientation-6.tif
orientation-8.png predictor-True-f4-be.tif five.tif complex.tif""".split()


def one_in(count, name):
    """A choice by name, so that it stays the same."""
    return zlib.crc32(name.encode()) % count == 0


class Fixtures:
    def __init__(self, folder, small):
        self.folder, self.small, self.rows = folder, small, []
        self.random = numpy.random.default_rng(7)

    def wanted(self, name):
        return not self.small or name in SMALL or one_in(480, name)

    def add(self, name, samples, bits, tolerance=0, **more):
        """samples: [H,W,C] as read_picture gives them."""
        kind = TYPES[samples.dtype.kind][samples.dtype.itemsize]
        self.rows.append({"file": name, "type": kind, "shape": list(samples.shape), "bits": bits,
                          "tolerance": tolerance, "samples": samples.flatten().tolist(), **more})

    def refuse(self, name, text):
        self.rows.append({"file": name, "refused": text})

    def array(self, dtype, channels, planar=False):
        shape = (channels, HEIGHT, WIDTH) if planar else (HEIGHT, WIDTH, channels)
        dtype = numpy.dtype(dtype)
        if dtype.kind == "f":
            return (self.random.integers(0, 513, shape) / 512).astype(dtype)
        if dtype.kind == "b":
            return self.random.integers(0, 2, shape).astype(bool)
        limits = numpy.iinfo(dtype)
        high = min(int(limits.max), 2**31 - 1)
        return self.random.integers(int(limits.min), high, shape, endpoint=True).astype(dtype)


def smooth(channels):
    y, x, c = numpy.mgrid[0:16, 0:24, 0:channels]
    return (40 + 3 * y + 4 * x + 20 * c).astype(numpy.uint8)


def bits_of(dtype):
    dtype = numpy.dtype(dtype)
    return 1 if dtype.kind == "b" else min(32, dtype.itemsize * 8) - (dtype.kind == "i")


def as_read(stored, photometric):
    """What stands in the file -> what read_picture makes of it."""
    if stored.dtype.kind == "b":
        stored = stored.astype(numpy.uint8)
        return (1 - stored if photometric == "miniswhite" else stored) * 255
    white = numpy.iinfo(stored.dtype).max if stored.dtype.kind != "f" else 1
    if photometric == "miniswhite":
        stored = stored.copy()
        stored[..., 0] = white - stored[..., 0]
    if photometric == "separated":
        light = white - stored.astype(numpy.int64)
        rgb = light[..., :3] * light[..., 3:4] // white
        stored = numpy.concatenate([rgb.astype(stored.dtype), stored[..., 4:]], axis=2)
    return stored


def tiff_forms():
    """Options of tifffile.imwrite with the dtype and number of colours that they suit."""
    dtypes = ["bool", "u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
    compressions = [None, "lzw", "adobe_deflate", "packbits", "zstd", "lzma"]
    layouts = [{}, {"tile": (16, 16)}, {"rowsperstrip": 4}]
    for dtype, compression, layout, order in itertools.product(dtypes, compressions, layouts, "<>"):
        if dtype == "bool" and (compression not in (None, "packbits", "adobe_deflate") or "tile" in layout):
            continue
        kinds = [("minisblack", 1, None), ("rgb", 3, None), ("rgb", 3, "unassalpha"), ("rgb", 3, "assocalpha"),
                 ("minisblack", 1, "unassalpha")]
        if dtype in ("bool", "u1", "u2"):
            kinds.append(("miniswhite", 1, None))
        if dtype in ("u1", "u2"):
            kinds.append(("separated", 4, None))
        for photometric, colours, extra in kinds:
            if dtype == "bool" and (colours > 1 or extra):
                continue
            for planar in (False, True) if colours + bool(extra) > 1 else (False,):
                yield dtype, compression, layout, order, photometric, colours, extra, planar


def write_tiff_matrix(fixtures):
    for dtype, compression, layout, order, photometric, colours, extra, planar in tiff_forms():
        words = [dtype, photometric, extra or "", compression or "none", "planar" if planar else "", *layout,
                 "be" if order == ">" else "le"]
        name = "-".join(word for word in words if word) + ".tif"
        if not (dtype == "bool" or one_in(8, name)) or not fixtures.wanted(name):
            continue
        stored = fixtures.array(dtype, colours + bool(extra), planar)
        options = {"photometric": photometric, "byteorder": order, "compression": compression, **layout}
        if extra:
            options["extrasamples"] = [extra]
        if stored.shape[-1] == 1:
            stored = stored[..., 0]
        else:
            options["planarconfig"] = "separate" if planar else "contig"
        tifffile.imwrite(fixtures.folder / name, stored, metadata=None, **options)
        seen = tifffile.imread(fixtures.folder / name)
        assert (seen == stored).all(), name
        if seen.ndim == 2:
            seen = seen[..., None]
        elif planar:
            seen = numpy.moveaxis(seen, 0, 2)
        fixtures.add(name, as_read(seen, photometric), bits_of(dtype), alpha=bool(extra), format="TIFF")


def write_special_tiffs(fixtures):
    def write(name, stored, expected, bits, tolerance=0, facts=None, **options):
        if fixtures.wanted(name):
            tifffile.imwrite(fixtures.folder / name, stored, metadata=None, **options)
            fixtures.add(name, expected, bits, tolerance, format="TIFF", **(facts or {}))

    grey = fixtures.array("u2", 1)
    for predictor, dtype in itertools.product((True, False), ("u1", "u2", "u4", "f4", "f8")):
        stored = fixtures.array(dtype, 3)
        for order in "<>":
            write(f"predictor-{predictor}-{dtype}-{'be' if order == '>' else 'le'}.tif", stored, stored, bits_of(dtype),
                  photometric="rgb", compression="lzw", predictor=predictor, byteorder=order)
    plane = grey[..., 0]
    write("bigtiff.tif", plane, grey, 16, bigtiff=True)
    pages = numpy.stack([plane, plane // 2])
    write("pages.tif", pages, grey, 16, facts={"pages": 2}, photometric="minisblack")
    for turn in range(1, 9):
        write(f"orientation-{turn}.tif", plane, grey, 16, facts={"orientation": turn},
              extratags=[(274, 3, 1, turn, True)])
    for size in (2, 4, 8):
        map_ = fixtures.random.integers(0, 65536, (3, 256), dtype=numpy.uint16)
        indices = fixtures.array("u1", 1)
        write(f"palette-{size}.tif", indices[..., 0], indices, 8, photometric="palette", colormap=map_,
              facts={"palette": (map_ >> 8).T.tolist()}, rowsperstrip=size)
    for colours in (1, 3):
        for tile in (None, (16, 16)):
            name = f"jpeg-{colours}{'-tile' if tile else ''}.tif"
            if fixtures.wanted(name):
                stored = smooth(colours)
                tifffile.imwrite(fixtures.folder / name, stored if colours == 3 else stored[..., 0], tile=tile,
                                 compression="jpeg", metadata=None,
                                 photometric="rgb" if colours == 3 else "minisblack")
                seen = tifffile.imread(fixtures.folder / name).reshape(stored.shape)
                fixtures.add(name, seen, 8, 2, format="TIFF", lossy=True)
    for name, stored, options, text in (
            ("u8.tif", fixtures.array("u1", 1).astype("u8"), {}, "samples of 64 bits"),
            ("i8.tif", fixtures.array("i1", 1).astype("i8"), {}, "signed samples of 64 bits"),
            ("complex.tif", fixtures.array("f4", 1).astype("c8"), {}, "complex samples"),
            ("five.tif", fixtures.array("u1", 5), {"photometric": "rgb"}, "samples a pixel"),
            ("two-extra.tif", fixtures.array("u1", 3), {"photometric": "minisblack", "planarconfig": "contig"},
             "samples a pixel"),
            ("jpeg2000.tif", fixtures.array("u1", 3), {"photometric": "rgb", "compression": "jpeg2000"},
             "compression 34712"),
            ("cfa.tif", fixtures.array("u2", 1), {"photometric": "cfa", "extratags": [
                (33421, 3, 2, (2, 2), True), (33422, 1, 4, (0, 1, 1, 2), True)]}, "raw camera data")):
        if fixtures.wanted(name):
            tifffile.imwrite(fixtures.folder / name, stored[..., 0] if stored.shape[-1] == 1 else stored,
                             metadata=None, **options)
            fixtures.refuse(name, text)


def pillow_picture(fixtures, mode):
    if mode == "1":
        return Image.fromarray(fixtures.array("bool", 1)[..., 0])
    if mode == "P":
        picture = Image.fromarray(fixtures.array("u1", 1)[..., 0], "L").convert("P")
        picture.putpalette(fixtures.random.integers(0, 256, 768).tolist())
        return picture
    if mode in ("I;16", "F"):
        return Image.fromarray(fixtures.array("u2" if mode == "I;16" else "f4", 1)[..., 0])
    channels = len(Image.new(mode, (1, 1)).getbands())
    stored = fixtures.array("u1", channels)
    return Image.frombytes(mode, (WIDTH, HEIGHT), stored.tobytes())


def seen_by_pillow(path, mode):
    """Samples, and what else is expected."""
    with Image.open(path) as picture:
        picture.load()
        samples = numpy.array(picture)
        samples = samples.reshape(HEIGHT, WIDTH, -1)
        facts = {"alpha": picture.mode in ("LA", "RGBA")}
        if picture.mode == "P":
            palette = numpy.array(picture.getpalette("RGB")).reshape(-1, 3)
            facts["palette"] = palette.tolist()
        if picture.mode == "1":
            samples = samples.astype(numpy.uint8) * 255
        if mode == "CMYK":
            samples = as_read(samples, "separated")
        return samples, facts


def write_pillow_files(fixtures):
    fax = [("1", {"compression": "group3"}), ("1", {"compression": "group4"}), ("1", {"compression": "tiff_ccitt"})]
    tiffs = [(mode, {"compression": c}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F")
             for c in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")]
    pngs = [(mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    bmps = [(mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")]
    webps = [(mode, {"lossless": True, "exact": True}) for mode in ("RGB", "RGBA")]
    for extension, forms in ((".tif", fax + tiffs), (".png", pngs), (".bmp", bmps), (".webp", webps)):
        for mode, options in forms:
            name = "-".join(["pillow", mode.replace(";", ""), *map(str, options.values())]) + extension
            picture = pillow_picture(fixtures, mode)
            if not fixtures.wanted(name):
                continue
            picture.save(fixtures.folder / name, **options)
            samples, facts = seen_by_pillow(fixtures.folder / name, mode)
            bits = 1 if mode == "1" else 16 if mode == "I;16" else 32 if mode == "F" else 8
            if extension == ".bmp" and mode in ("1", "L", "P"):
                facts = {"colours": True}  # always a palette; its colours are what counts
                with Image.open(fixtures.folder / name) as seen:
                    samples = numpy.array(seen.convert("RGB"))
            fixtures.add(name, samples, bits, format={".tif": "TIFF", ".png": "PNG", ".bmp": "BMP",
                                                      ".webp": "WebP"}[extension], **facts)


def write_pngs(fixtures):
    for dtype, channels in itertools.product(("u1", "u2"), (1, 2, 3, 4)):
        name = f"imagecodecs-{dtype}-{channels}.png"
        stored = fixtures.array(dtype, channels)
        if fixtures.wanted(name):
            data = imagecodecs.png_encode(stored[..., 0] if channels == 1 else stored)
            (fixtures.folder / name).write_bytes(data)
            seen = imagecodecs.png_decode(data).reshape(stored.shape)
            fixtures.add(name, seen, bits_of(dtype), alpha=channels % 2 == 0, format="PNG")
    for bits in (1, 2, 4):
        name = f"palette-{bits}.png"
        indices = fixtures.array("u1", 1)[..., 0] >> (8 - bits)
        palette = fixtures.random.integers(0, 256, (2**bits, 3))
        if fixtures.wanted(name):
            picture = Image.fromarray(indices, "L").convert("P")
            picture.putpalette(palette.flatten().tolist())
            picture.save(fixtures.folder / name, bits=bits)
            fixtures.add(name, indices[..., None], bits, format="PNG", palette=palette.tolist())
    for turn in range(1, 9):
        name = f"orientation-{turn}.png"
        stored = fixtures.array("u1", 3)
        if fixtures.wanted(name):
            picture = Image.fromarray(stored)
            picture.getexif()[274] = turn
            picture.save(fixtures.folder / name, exif=picture.getexif())
            fixtures.add(name, stored, 8, format="PNG", orientation=turn)


def write_jpegs(fixtures):
    forms = [("L", {}), ("CMYK", {}), *[("RGB", {"subsampling": s, "progressive": p, "quality": q})
                                         for s in (0, 1, 2) for p in (False, True) for q in (50, 95)]]
    for mode, options in forms:
        name = "-".join(["jpeg", mode, *map(str, options.values())]) + ".jpg"
        if not fixtures.wanted(name):
            continue
        stored = smooth(len(mode) if mode != "L" else 1)
        picture = Image.frombytes(mode, stored.shape[1::-1], stored.tobytes())
        picture.save(fixtures.folder / name, **options)
        with Image.open(fixtures.folder / name) as seen:
            samples = numpy.array(seen).reshape(stored.shape)
        tolerance = 0
        if mode == "CMYK":
            samples, tolerance = as_read(samples, "separated"), 2  # OpenCV's arithmetic, which leaf keeps, truncates twice
        fixtures.add(name, samples, 8, tolerance, format="JPEG", lossy=True)


def write_others(fixtures):
    picture = Image.fromarray(fixtures.array("u1", 3))
    for name, text in (("a.gif", "it is a GIF picture"), ("a.ppm", "PGM or PPM"), ("a.jp2", "JPEG 2000 picture"),
                       ("a.avif", "AVIF picture")):
        picture.save(fixtures.folder / name)
        fixtures.refuse(name, text)
    picture.save(fixtures.folder / "animated.webp", save_all=True, lossless=True,
                 append_images=[picture.transpose(Image.Transpose.ROTATE_180)])
    fixtures.refuse("animated.webp", "animated WebP pictures are not read")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    fixtures = Fixtures(arguments.folder, arguments.small)
    for write in (write_tiff_matrix, write_special_tiffs, write_pillow_files, write_pngs, write_jpegs, write_others):
        write(fixtures)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in fixtures.rows)
    (arguments.folder / "expected.json").write_text(f"[\n{lines}\n]\n")
    print(len(fixtures.rows), "pictures")


if __name__ == "__main__":
    main()
