"""Writes the fixtures that diffusers computes: AutoencoderKL, also under the names of its older files, and
AutoencoderTiny.

    python tests/parity/make_diffusers_fixtures.py [FOLDER] [--published NAME | --list]

The small ones hold no weights but say how these were drawn, since a tiny autoencoder comes in one size alone.
"""

from diffusers import AutoencoderKL, AutoencoderTiny
from parity_fixtures import Fixture, draw, inputs, main, spread


def old_names(name):
    """The attention's names before diffusers 0.17."""
    replacements = (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn"))
    for new, old in replacements:
        name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
    return name


def kl(channels, blocks, height, width, stored, rename=lambda name: name):
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels),
        block_out_channels=channels,
        layers_per_block=blocks,
        latent_channels=4,
    )
    drawn = draw(model, spread, rename)
    images = inputs(1, 3, height, width, uniform=True)
    factor = 2 ** (len(channels) - 1)
    latents = inputs(1, 4, height // factor, width // factor)
    tensors = {
        "images": images,
        "moments": model.encode(2 * images - 1).latent_dist.parameters,
        "latents": latents,
        "decoded": model.decode(latents).sample,
    }
    configuration = dict(
        part="autoencoder",
        type="kl",
        ch=channels[0],
        ch_mult=[width // channels[0] for width in channels],
        num_res_blocks=blocks,
        latent_channels=4,
    )
    if not stored:
        return Fixture(configuration, tensors, drawn=drawn)
    return Fixture(configuration, tensors, {rename(k): v for k, v in model.state_dict().items()})


def tiny_spread(name, shape):
    """Keeps the image mostly within [0, 1], beyond which it is clamped."""
    mean, width = spread(name, shape)
    if name == "decoder.layers.18.weight":
        return mean, 0.1 * width
    return (0.5, width) if name == "decoder.layers.18.bias" else (mean, width)


def tiny(height, width, stored):
    model = AutoencoderTiny()
    drawn = draw(model, tiny_spread)
    images = inputs(1, 3, height, width, uniform=True)
    latents = inputs(1, 4, height // 8, width // 8)
    tensors = {
        "images": images,
        "encoded": model.encode(2 * images - 1).latents,
        "latents": latents,
        "decoded": model.decode(latents).sample,
    }
    inside = (tensors["decoded"].abs() < 1).double().mean()
    assert inside > 0.9, f"only {inside:.2f} of the image is within the range"
    configuration = dict(part="autoencoder", type="tiny", latent_channels=4, variant="taesd")
    if not stored:
        return Fixture(configuration, tensors, drawn=drawn)
    return Fixture(configuration, tensors, dict(model.state_dict()))


if __name__ == "__main__":
    main(
        {
            "diffusers_kl": lambda: kl([32, 32, 64], 1, 32, 24, stored=False),
            "diffusers_kl_old": lambda: kl([32, 32, 64], 1, 32, 24, stored=False, rename=old_names),
            "diffusers_tiny": lambda: tiny(32, 24, stored=False),
        },
        {
            "sd_vae": lambda: kl([128, 256, 512, 512], 2, 256, 256, stored=True),
            "taesd": lambda: tiny(256, 256, stored=True),
        },
    )
