#!/usr/bin/env python3
"""Segments images with leaf's C interface, by ctypes and numpy: segment.py MODEL IMAGE MASK.npy [IMAGE MASK.npy ...]

LEAF_C_LIBRARY names libleaf_c.so where it is not in a place that the system looks at.
"""
import ctypes
import os
import sys

import numpy as np


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("device", ctypes.c_char_p),
        ("precision", ctypes.c_char_p),
        ("seed", ctypes.c_uint64),
        ("num_inference_steps", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


class Image(ctypes.Structure):
    _fields_ = [
        ("rgb", ctypes.c_void_p),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("row_bytes", ctypes.c_int64),
        ("name", ctypes.c_char_p),
    ]


def load_library():
    library = ctypes.CDLL(os.environ.get("LEAF_C_LIBRARY", "libleaf_c.so"))
    library.leaf_last_error.restype = ctypes.c_char_p
    library.leaf_default_options.restype = Options
    for name in ("leaf_result_height", "leaf_result_width"):
        getattr(library, name).restype = ctypes.c_int64
    library.leaf_result_mask.restype = ctypes.POINTER(ctypes.c_uint8)
    library.leaf_result_probability.restype = ctypes.POINTER(ctypes.c_float)
    return library


class Model:
    """A model folder: `segment` turns pictures into masks and probabilities."""

    def __init__(self, folder, **options):
        self._leaf = load_library()
        wanted = self._leaf.leaf_default_options()
        for name, value in options.items():
            setattr(wanted, name, value.encode() if isinstance(value, str) else value)
        self._handle = ctypes.c_void_p()
        self._check(self._leaf.leaf_load(os.fsencode(folder), ctypes.byref(wanted), ctypes.byref(self._handle)))

    def __del__(self):
        self._leaf.leaf_free(getattr(self, "_handle", None))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._leaf.leaf_last_error().decode(errors="replace"))

    def _take(self, result):
        """(mask, probability) of a result, as arrays of their own."""
        shape = (self._leaf.leaf_result_height(result), self._leaf.leaf_result_width(result))
        mask = np.ctypeslib.as_array(self._leaf.leaf_result_mask(result), shape).copy()
        probability = np.ctypeslib.as_array(self._leaf.leaf_result_probability(result), shape).copy()
        self._leaf.leaf_result_free(result)
        return mask, probability

    def segment_file(self, path):
        result = ctypes.c_void_p()
        self._check(self._leaf.leaf_segment_file(self._handle, os.fsencode(path), ctypes.byref(result)))
        return self._take(result)

    def segment_bytes(self, data, name=""):
        result = ctypes.c_void_p()
        size = ctypes.c_size_t(len(data))
        self._check(self._leaf.leaf_segment_bytes(self._handle, data, size, name.encode(), ctypes.byref(result)))
        return self._take(result)

    def segment(self, pictures, names=None):
        """Segments uint8 arrays [height, width, 3] in one batch; `names` are the images' names."""
        pictures = [np.ascontiguousarray(picture, dtype=np.uint8) for picture in pictures]
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3:
                raise ValueError(f"expected [height, width, 3], not {list(picture.shape)}")
        names = [name.encode() for name in names or [""] * len(pictures)]
        images = (Image * len(pictures))(
            *[(p.ctypes.data, p.shape[0], p.shape[1], 0, name) for p, name in zip(pictures, names, strict=True)]
        )
        results = (ctypes.c_void_p * len(pictures))()
        count = ctypes.c_size_t(len(pictures))
        self._check(self._leaf.leaf_segment_images(self._handle, images, count, results))
        return [self._take(ctypes.c_void_p(result)) for result in results]


def main():
    if len(sys.argv) < 4 or len(sys.argv) % 2 != 0:
        sys.exit("usage: segment.py MODEL IMAGE MASK.npy [IMAGE MASK.npy ...]")
    model = Model(sys.argv[1])
    for image, mask in zip(sys.argv[2::2], sys.argv[3::2]):
        np.save(mask, model.segment_file(image)[0])


if __name__ == "__main__":
    main()
