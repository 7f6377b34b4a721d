"""Makes what the sides of benchmarks/peers/run.sh share.

    prepare.py fill MODEL_DIR                                  no tensor of the weights is all zeros any more
    prepare.py make MODEL_DIR FOLDER REFERENCE_DIR --batch N [--onnx] [--int8]
        FOLDER/inputs-N.safetensors   image [N, 3, R, R] in [0, 1], noise [N, 4, R/8, R/8]
        FOLDER/float64-N.safetensors  the probability [N, 1, R, R] in double precision
        FOLDER/model-N.onnx           the network for that batch
        FOLDER/model-N-int8.onnx      the same with its convolutions in int8, for their time: ranges are those of
                                      the one input

Files that are there stay.
"""

import argparse
import json
import pathlib
import sys

import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from safetensors.torch import load_file, save_file

from network import load_network
from peer_inference import LATENT_CHANNELS


def fill(folder):
    """Layers that start at zero would hide the rounding errors of everything before them."""
    generator = torch.Generator().manual_seed(1)
    for path in sorted(folder.glob("*/diffusion_pytorch_model.safetensors")):
        tensors = load_file(path)
        for name in sorted(tensors):
            if not tensors[name].any():
                tensors[name] = 0.02 * torch.randn(tensors[name].shape, generator=generator)
        temporary = path.with_suffix(".new")
        save_file(tensors, temporary, {"format": "pt"})
        temporary.replace(path)


def make(path, write):
    """write(temporary) unless `path` is there; `path` is complete or absent."""
    if not path.exists():
        print(f"making {path}", file=sys.stderr, flush=True)
        temporary = path.with_name("new-" + path.name)
        write(temporary)
        temporary.replace(path)


def write_inputs(path, model, batch):
    side = json.loads((model / "preprocessing.json").read_text())["resolution"]
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(batch, 3, side, side, generator=generator)
    noise = torch.randn(batch, LATENT_CHANNELS, side // 8, side // 8, generator=generator)
    save_file({"image": image, "noise": noise}, path)


def write_float64(path, network, image, noise):
    """One image at a time. The reference's attention asks for float32; here it keeps what it has."""
    network = network.double()
    to_float32 = torch.Tensor.float
    torch.Tensor.float = lambda tensor: tensor if tensor.dtype == torch.float64 else to_float32(tensor)
    try:
        with torch.inference_mode():
            probability = [network(x[None], y[None]) for x, y in zip(image.double(), noise.double())]
    finally:
        torch.Tensor.float = to_float32
    save_file({"probability": torch.cat(probability)}, path)


def write_onnx(path, network, image, noise):
    with torch.no_grad():
        torch.onnx.export(network, (image, noise), path, input_names=["image", "noise"],
                          output_names=["probability"], dynamo=True, external_data=False, verbose=False)


class OneInput(CalibrationDataReader):
    def __init__(self, tensors):
        self.inputs = [{name: tensor.numpy() for name, tensor in tensors.items()}]

    def get_next(self):
        return self.inputs.pop() if self.inputs else None


def write_int8(path, network, tensors):
    quantize_static(network, path, OneInput(tensors), quant_format=QuantFormat.QDQ, per_channel=True,
                    op_types_to_quantize=["Conv"], activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("fill", "make"))
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path, nargs="?")
    parser.add_argument("reference", type=pathlib.Path, nargs="?")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    if options.action == "fill":
        return fill(options.model)
    name = f"{options.batch}.safetensors"
    inputs = options.folder / f"inputs-{name}"
    make(inputs, lambda path: write_inputs(path, options.model, options.batch))
    tensors = load_file(inputs)

    def with_network(write):
        return lambda path: write(path, load_network(options.reference, options.model), tensors["image"],
                                  tensors["noise"])

    make(options.folder / f"float64-{name}", with_network(write_float64))
    onnx = options.folder / f"model-{options.batch}.onnx"
    if options.onnx:
        make(onnx, with_network(write_onnx))
    if options.int8:
        make(onnx.with_stem(onnx.stem + "-int8"), lambda path: write_int8(path, onnx, tensors))


if __name__ == "__main__":
    main()
