"""Times the published implementation's network in eager PyTorch, as benchmarks/full_size_inference.sh asks.

    peer_inference.py REFERENCE_DIR [--images N] [--threads N]

Prints milliseconds per image of 256x256, one a line, first image first: encoder, one denoising step from the
last timestep (prediction type sample), decoder, mean over the channels. Random weights, channels-last.
"""

import argparse
import sys
import time

import torch

RESOLUTION = 256
LATENT_CHANNELS = 4
SCALING_FACTOR = 0.18215
LAST_TIMESTEP = 999


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from leaf import AutoencoderKL, LatentEncoder, UNetModel

        self.latent_encoder = LatentEncoder(dropout=0.0)
        self.autoencoder = AutoencoderKL(dropout=0.0)
        self.unet = UNetModel(
            image_size=RESOLUTION // 8,
            in_channels=2 * LATENT_CHANNELS,
            out_channels=LATENT_CHANNELS,
            model_channels=192,
            channel_mult=(1, 2, 2, 4, 4),
            num_res_blocks=2,
            attention_resolutions=(1, 2, 4, 8),
            num_heads=8,
            use_scale_shift_norm=True,
            resblock_updown=True,
            dropout=0.0,
        )

    def encode(self, image):
        moments = self.latent_encoder.quant_conv(self.latent_encoder.encoder(2 * image - 1))
        return moments[:, :LATENT_CHANNELS] * SCALING_FACTOR

    def decode(self, latent):
        """-> image [N, 3, R, R] in [0, 1]"""
        decoded = self.autoencoder.decoder(self.autoencoder.post_quant_conv(latent / SCALING_FACTOR))
        return (decoded.clamp(-1, 1) + 1) / 2

    def forward(self, image, noise):
        """image [N, 3, R, R] in [0, 1], noise [N, 4, R/8, R/8] -> mask probability [N, 1, R, R]"""
        timestep = torch.full((image.shape[0],), LAST_TIMESTEP)
        latent = self.unet(torch.cat([self.encode(image), noise], 1), timestep).sample.clamp(-1, 1)
        return self.decode(latent).mean(1, keepdim=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reference")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    sys.path.insert(0, options.reference)
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    network = Network().eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        for _ in range(options.images):
            image = torch.rand(1, 3, RESOLUTION, RESOLUTION).to(memory_format=torch.channels_last)
            noise = torch.randn(1, LATENT_CHANNELS, RESOLUTION // 8, RESOLUTION // 8)
            start = time.perf_counter()
            network(image, noise)
            print(1000 * (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
