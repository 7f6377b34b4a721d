"""The published implementation's networks, or a light model's, with the weights of a model folder."""

import inspect
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import peer_inference  # noqa: E402
import tiny  # noqa: E402


def reference_networks(reference):
    """Its autoencoder, latent encoder and U-Net, imported from that checkout."""
    if str(reference) not in sys.path:
        sys.path.insert(0, str(reference))
    from leaf import AutoencoderKL, LatentEncoder, UNetModel

    return AutoencoderKL, LatentEncoder, UNetModel


def load_part(network_class, folder):
    """A network as its config.json says; what is only in ours there (scaling_factor) is left out."""
    known = inspect.signature(network_class.__init__).parameters
    config = json.loads((folder / "config.json").read_text())
    with torch.device("meta"):  # allocates and initialises nothing
        network = network_class(**{key: value for key, value in config.items() if key in known})
    network.load_state_dict(load_file(folder / "diffusion_pytorch_model.safetensors"), assign=True)
    return network


class LoadedNetwork(peer_inference.Network):
    """Image [N, 3, R, R] in [0, 1] and noise [N, 4, R/8, R/8] -> probability [N, 1, R, R]."""

    def __init__(self, reference, folder):
        torch.nn.Module.__init__(self)
        autoencoder, latent_encoder, unet = reference_networks(reference)
        self.latent_encoder = load_part(latent_encoder, folder / "latent_encoder")
        self.autoencoder = load_part(autoencoder, folder / "vae")
        self.unet = load_part(unet, folder / "unet")
        self.eval()


class LightNetwork(peer_inference.Network):
    """The same of a light model: its own halves around the published U-Net."""

    def __init__(self, reference, folder):
        torch.nn.Module.__init__(self)
        self.latent_encoder = load_part(tiny.LatentEncoder, folder / "latent_encoder")
        self.autoencoder = load_part(tiny.Autoencoder, folder / "vae")
        self.unet = load_part(reference_networks(reference)[2], folder / "unet")
        self.eval()

    def encode(self, image):
        return self.latent_encoder.encoder(image)

    def decode(self, latent):
        return self.autoencoder.decoder(latent).clamp(0, 1)


def load_network(reference, folder):
    """The network of a model folder of leaf's."""
    folder = pathlib.Path(folder)
    light = "widths" in json.loads((folder / "vae" / "config.json").read_text())
    return (LightNetwork if light else LoadedNetwork)(reference, folder)
