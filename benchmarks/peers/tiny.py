"""The halves of a light model (docs/light.md) in plain PyTorch: TAESD's form, a width for each level. Keys are those of
leaf's model folders."""

import torch
from torch import nn


def conv3x3(inputs, outputs, stride=1, bias=True):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


class Block(nn.Module):
    """relu(x + conv(relu(conv(relu(conv(x))))))"""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(conv3x3(channels, channels), nn.ReLU(), conv3x3(channels, channels), nn.ReLU(),
                                  conv3x3(channels, channels))

    def forward(self, x):
        return torch.relu(self.conv(x) + x)


class Encoder(nn.Module):
    """image [N, 3, R, R] in [0, 1] -> latent [N, L, R/8, R/8]"""

    def __init__(self, widths, blocks, latent_channels):
        super().__init__()
        layers = [conv3x3(3, widths[0]), Block(widths[0])]
        for before, width in zip(widths, widths[1:]):
            layers += [conv3x3(before, width, stride=2, bias=False), *(Block(width) for _ in range(blocks))]
        self.layers = nn.Sequential(*layers, conv3x3(widths[-1], latent_channels))

    def forward(self, image):
        return self.layers(image)


class Decoder(nn.Module):
    """latent [N, L, R/8, R/8] -> image [N, 3, R, R] in about [0, 1]"""

    def __init__(self, widths, blocks, latent_channels):
        super().__init__()
        layers = [conv3x3(latent_channels, widths[-1]), nn.ReLU()]
        for width, after in zip(widths[:0:-1], widths[-2::-1]):
            layers += [*(Block(width) for _ in range(blocks)), nn.Upsample(scale_factor=2), conv3x3(width, after, bias=False)]
        self.layers = nn.Sequential(*layers, Block(widths[0]), conv3x3(widths[0], 3))

    def forward(self, latent):
        return self.layers(torch.tanh(latent / 3) * 3)


class LatentEncoder(nn.Module):
    def __init__(self, widths, blocks, latent_channels):
        super().__init__()
        self.encoder = Encoder(widths, blocks, latent_channels)


class Autoencoder(LatentEncoder):
    def __init__(self, widths, blocks, latent_channels):
        super().__init__(widths, blocks, latent_channels)
        self.decoder = Decoder(widths, blocks, latent_channels)
