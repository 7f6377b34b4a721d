"""What the scripts that make tests/fixtures/parity share (NumPy, PyTorch and safetensors needed).

A fixture is one network of a Python package with random weights: a safetensors file of its state dict under the
names of the package's own files (`weights.NAME`), an input and what the package makes of it. The metadata's
`configuration` (JSON) says what the network is in our terms; the fields are those of our configurations. Where
the weights are too large to be kept, the metadata's `drawn` says how to draw them again.
"""

import argparse
import dataclasses
import json
import math
import pathlib

import numpy
import torch
from safetensors.torch import save_file

torch.set_grad_enabled(False)


@dataclasses.dataclass
class Fixture:
    configuration: dict
    tensors: dict  # inputs and outputs
    weights: dict = dataclasses.field(default_factory=dict)
    drawn: dict = dataclasses.field(default_factory=dict)


def formula_values(name, shape):
    """u(name, i) in [-1, 1): the values of test::formula_values (tests/support/golden.h)."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    z = numpy.arange(1, math.prod(shape) + 1, dtype="u8")
    z *= numpy.uint64(0x9E3779B97F4A7C15)
    z += numpy.uint64(start ^ 1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> numpy.uint64(shift)
        z *= numpy.uint64(factor)
    z ^= z >> numpy.uint64(31)
    values = (z >> numpy.uint64(40)).astype("f8") / 8388608 - 1
    return torch.from_numpy(values).reshape(shape)


def spread(name, shape):
    """Mean and half width of a parameter's values: every part shows in the output, none overwhelms it."""
    if len(shape) == 1:
        return (1, 0.3) if name.endswith(("weight", "gamma", "lambda1")) else (0, 0.3)
    return 0, math.sqrt(3 / math.prod(shape[1:]))


def transformer_spread(name, shape):
    """Tokens are so small when they enter the blocks that the epsilon of the norms shows as well."""
    if not any(part in name for part in ("token", "embed", "conv1")):
        return spread(name, shape)
    return 0, 0.1 * math.sqrt(3 / math.prod(shape[1:])) if len(shape) == 4 else 0.1


def draw(model, spread, rename=lambda name: name):
    """Draws all parameters of `model` by their (renamed) names -> {name: [shape, mean, half width]}."""
    drawn = {}
    for name, parameter in model.eval().named_parameters():
        name, shape = rename(name), list(parameter.shape)
        mean, width = spread(name, shape)
        drawn[name] = [shape, mean, width]
        parameter.copy_(mean + width * formula_values(name, shape))
    return drawn


def inputs(*shape, uniform=False):
    """The same numbers for the same shape; normally distributed, or in [0, 1)."""
    generator = torch.Generator().manual_seed(1)
    return (torch.rand if uniform else torch.randn)(shape, generator=generator)


def write(path, fixture):
    tensors = {f"weights.{name}": tensor for name, tensor in fixture.weights.items()} | fixture.tensors
    metadata = {"configuration": json.dumps(fixture.configuration)}
    if fixture.drawn:
        metadata["drawn"] = json.dumps(fixture.drawn, separators=(",", ":"))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    outputs = {name: f"{tensor.std():.3f}" for name, tensor in fixture.tensors.items()}
    print(path, "standard deviations", outputs, flush=True)


def main(small, published):
    """Writes all of `small` ({name: function that makes a Fixture}), or one of `published`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default="tests/fixtures/parity", type=pathlib.Path)
    parser.add_argument("--published", metavar="NAME", help="this network in its published size instead")
    parser.add_argument("--list", action="store_true", help="print the names of those, and end")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(published))
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    names = [arguments.published] if arguments.published else list(small)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        make = published[name] if arguments.published else small[name]
        write(arguments.folder / f"{name}.safetensors", make())
