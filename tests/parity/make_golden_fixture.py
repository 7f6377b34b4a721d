"""Cuts a folder of small golden numbers down to tests/fixtures/golden_small (NumPy needed).

    python tests/parity/make_golden_fixture.py GOLDEN_DIR/small [FOLDER]

Of the activations the first sample stays; of the maps at image size every other row and column, of the
mask one of its equal channels, as bytes. The training steps stay as they are; what they read besides (images and mask latents) keeps
all samples.
"""

import json
import pathlib
import shutil
import struct
import sys

import numpy

TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "u1"}
EVERY_SAMPLE = {"input.image", "vae.mask_latent"}  # golden_training_test.cpp reads them
EVERY_PIXEL = {"input.image", "input.mask"}
IMAGE_SIDE = 256


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = numpy.frombuffer(data[start:end], TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    names = {numpy.dtype(text): name for name, text in TYPES.items()}
    header, offset = {}, 0
    # The widest types come first, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    for name, values in ordered:
        end = offset + values.nbytes
        header[name] = {
            "dtype": names[values.dtype],
            "shape": values.shape,
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, values in ordered:
            out.write(values.tobytes())


def cut(name, values):
    if name not in EVERY_SAMPLE:
        values = values[:1]
    if values.ndim == 4 and values.shape[-1] == IMAGE_SIDE and name not in EVERY_PIXEL:
        values = values[..., ::2, ::2]
    if name == "input.mask":
        one_channel = values[:, :1]
        assert numpy.isin(values, (0, 1)).all() and (values == one_channel).all()
        values = one_channel.astype("u1")
    return values


def main():
    source = pathlib.Path(sys.argv[1])
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "tests/fixtures/golden_small")
    folder.mkdir(parents=True, exist_ok=True)
    activations = read_safetensors(source / "activations.safetensors")
    write_safetensors(
        folder / "activations.safetensors",
        {name: cut(name, values) for name, values in activations.items()},
    )
    shutil.copyfile(source / "train_steps.safetensors", folder / "train_steps.safetensors")


if __name__ == "__main__":
    main()
