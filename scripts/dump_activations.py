#!/usr/bin/env python3
"""Records what a PyTorch model computes, for `leaf_convert verify`.

    dump_activations.py --reference LEAF_CHECKOUT --model MODEL_DIR --out FILE [--modules unet.middle_block ...]

runs the published implementation (a checkout of it) with the weights of a model folder, and writes inputs and results
under the names that docs/weights.md lists. Needs torch, diffusers and safetensors.

For a model of your own, import this file:

    from dump_activations import Recorder, save

    with Recorder(model.unet, ["input_blocks.3", "middle_block"], prefix="unet.") as recorder:
        output = model.unet(torch.cat([image_latent, noisy_latent], 1), timestep)
    save("activations.safetensors", {
        "input.timestep": timestep, "latent_encoder.latent": image_latent, "diffusion.noisy_latent": noisy_latent,
        "unet.output": output, **recorder.tensors,
    })
"""

import argparse
import json
import pathlib
import sys
import unittest.mock

import torch

SCALING_FACTOR = 0.18215  # of latents, where the model folder states none
MODULES = ["unet.input_blocks.3", "unet.middle_block"]
PIPELINES = [f"{kind}.{steps}" for kind in ("sample", "epsilon", "v_prediction") for steps in (1, 4)]


def tensor_of(output):
    """The tensor in what a module returns: itself, the first of several, or that of an output object."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, (tuple, list)) and output:
        return tensor_of(output[0])
    for name in ("sample", "parameters", "last_hidden_state"):  # `parameters`: a distribution's moments
        if isinstance(getattr(output, name, None), torch.Tensor):
            return getattr(output, name)
    raise TypeError(f"no tensor in the output of type {type(output).__name__}")


class Recorder:
    """Keeps the outputs of the modules `names` (dotted, as in named_modules()) of `model` while it is entered.

    `tensors` has them as PREFIX + name; of several calls, the last.
    """

    def __init__(self, model, names, prefix=""):
        self.modules = dict(model.named_modules())
        unknown = [name for name in names if name not in self.modules]
        if unknown:
            raise KeyError(f"{type(model).__name__} has no module named {', '.join(unknown)}")
        self.names = names
        self.prefix = prefix
        self.tensors = {}
        self.handles = []

    def __enter__(self):
        for name in self.names:
            self.handles.append(self.modules[name].register_forward_hook(self._hook(self.prefix + name)))
        return self

    def __exit__(self, *_):
        while self.handles:
            self.handles.pop().remove()

    def _hook(self, name):
        def keep(_module, _inputs, output):
            self.tensors[name] = tensor_of(output).detach().clone()

        return keep


def save(path, tensors):
    """Writes tensors to a safetensors file, on the CPU and row-major."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, path)


class Reference:
    """The published implementation's networks and pipeline with the weights of a model folder."""

    def __init__(self, checkout, folder):
        sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "benchmarks" / "peers"))
        from network import load_part, reference_networks

        autoencoder, latent_encoder, unet = reference_networks(checkout)
        self.folder = pathlib.Path(folder)
        self.vae = load_part(autoencoder, self.folder / "vae").float().eval()
        self.latent_encoder = load_part(latent_encoder, self.folder / "latent_encoder").float().eval()
        self.unet = load_part(unet, self.folder / "unet").float().eval()
        self.scaling_factor = self._json("vae/config.json").get("scaling_factor", SCALING_FACTOR)
        self.resolution = self._json("preprocessing.json").get("resolution", 256)

    def _json(self, name):
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else {}

    def scheduler(self, **changes):
        from diffusers import DDIMScheduler

        return DDIMScheduler.from_config({**self._json("scheduler/scheduler_config.json"), **changes})

    def recorder(self, part, modules):
        names = [name[len(part) + 1 :] for name in modules if name.startswith(part + ".")]
        return Recorder(getattr(self, part), names, prefix=part + ".")

    def inputs(self, samples, seed):
        """An image of noise, a disc as its mask, starting noise and timesteps."""
        generator = torch.Generator().manual_seed(seed)
        side = self.resolution
        row = torch.arange(side).view(-1, 1)
        disc = ((row - side / 2) ** 2 + (row.T - side / 3) ** 2 < (side / 4) ** 2).float()
        latent = self.unet.config.out_channels
        side_of_latent = side // 2 ** (len(self.vae.config.ch_mult) - 1)
        return {
            "input.image": torch.rand(samples, 3, side, side, generator=generator),
            "input.mask": disc.expand(samples, 3, side, side).clone(),
            "input.noise": torch.randn(samples, latent, side_of_latent, side_of_latent, generator=generator),
            "input.timestep": torch.randint(0, 1000, (samples,), generator=generator),
        }

    def networks(self, inputs, modules):
        """The tensors of one pass through each network."""
        image, mask = 2 * inputs["input.image"] - 1, 2 * inputs["input.mask"] - 1
        with self.recorder("vae", modules) as vae:
            distribution = self.vae.encode(mask)
            mask_latent = distribution.mode() * self.scaling_factor
            decoded = tensor_of(self.vae.decode(mask_latent / self.scaling_factor))
        with self.recorder("latent_encoder", modules) as latent_encoder:
            image_latent = self.latent_encoder(image).mode() * self.scaling_factor
        noisy = self.scheduler().add_noise(mask_latent, inputs["input.noise"], inputs["input.timestep"])
        with self.recorder("unet", modules) as unet:
            output = tensor_of(self.unet(torch.cat([image_latent, noisy], 1), inputs["input.timestep"]))
        return {
            "vae.moments": distribution.parameters,
            "vae.mask_latent": mask_latent,
            "vae.decoded": decoded,
            "latent_encoder.latent": image_latent,
            "diffusion.noisy_latent": noisy,
            "unet.output": output,
            **vae.tensors,
            **latent_encoder.tensors,
            **unet.tensors,
        }

    def pipeline(self, inputs, name):
        """The mask probability [N, 1, R, R] of "sample.1" and the like, started from the recorded noise."""
        from leaf import LeafPipeline

        kind, steps = name.rsplit(".", 1)
        pipeline = LeafPipeline(
            self.vae, self.unet, self.latent_encoder, self.scheduler(prediction_type=kind), self.scaling_factor
        )
        with unittest.mock.patch.object(torch, "randn", return_value=inputs["input.noise"].clone()):
            mask = pipeline.single_infer(2 * inputs["input.image"] - 1, int(steps), show_pbar=False)
        return mask.mean(1, keepdim=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="Names: docs/weights.md of leaf."
    )
    parser.add_argument("--reference", required=True, help="checkout of the published implementation")
    parser.add_argument("--model", required=True, help="model folder with its weights")
    parser.add_argument("--out", required=True, help="safetensors file to write")
    parser.add_argument("--modules", nargs="*", default=MODULES, help="also their outputs (default: %(default)s)")
    parser.add_argument(
        "--pipelines", nargs="*", default=PIPELINES, help="PREDICTION_TYPE.STEPS (default: %(default)s)"
    )
    parser.add_argument("--inputs", help="take input.* from this safetensors file instead of making them")
    parser.add_argument("--samples", type=int, default=1, help="of the inputs that are made (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs that are made (default: 0)")
    options = parser.parse_args()

    reference = Reference(options.reference, options.model)
    if options.inputs:
        from safetensors.torch import load_file

        inputs = {name: value for name, value in load_file(options.inputs).items() if name.startswith("input.")}
    else:
        inputs = reference.inputs(options.samples, options.seed)
    with torch.inference_mode():
        tensors = {**inputs, **reference.networks(inputs, options.modules)}
        for name in options.pipelines:
            tensors[f"pipeline.{name}"] = reference.pipeline(inputs, name)
    save(options.out, tensors)
    print(f"dump_activations: {len(tensors)} tensors in {options.out}")


if __name__ == "__main__":
    main()
