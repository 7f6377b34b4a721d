#!/usr/bin/env python3
"""Trains a plain U-Net with Dice loss on the images that a run of leaf_train had, for a given time of one CPU core, and
writes its masks of the validation part, which leaf_eval scores beside LEAF's:

    plain_unet.py RUN DATA_ROOT MASKS [--seconds 230] [--size 64] [--seed 1337]
    leaf_eval --predictions MASKS --ground-truth MASKS/truth --output SCORES

RUN is a run folder: its split.csv says which images train and which validate. Wants torch, numpy and Pillow.
"""

import argparse
import csv
import pathlib
import time

import numpy as np
import torch
from PIL import Image
from torch import nn


def double_conv(inputs, outputs):
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015 with padding and batch normalization; 7.8 M parameters at a width of 32."""

    def __init__(self, width=32, levels=5):
        super().__init__()
        widths = [width << level for level in range(levels)]
        self.down = nn.ModuleList([double_conv(a, b) for a, b in zip([3, *widths], widths)])
        pairs = list(zip(widths[:0:-1], widths[-2::-1]))
        self.up = nn.ModuleList([nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs])
        self.merge = nn.ModuleList([double_conv(2 * b, b) for _, b in pairs])
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1]):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.head(x)


def dice_loss(logits, masks):
    p = torch.sigmoid(logits)
    overlap = (p * masks).sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (p.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)).mean()


def read_part(run, root, part, size):
    """Images in [-1, 1], masks in {0, 1}, and the files of both."""
    with open(run / "split.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == part]
    images, masks = [], []
    for row in rows:
        image = Image.open(root / row["image"]).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        mask = Image.open(root / row["mask"]).convert("L").resize((size, size), Image.Resampling.NEAREST)
        images.append(torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1)
        masks.append(torch.from_numpy(np.array(mask) > 127).float()[None])
    return torch.stack(images), torch.stack(masks), rows


def train(network, images, masks, seconds):
    """Adam at 1e-3, falling to 0 by a cosine over the time; batches of 8, both flips."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    order, start, steps = [], time.process_time(), 0
    network.train()
    while (spent := time.process_time() - start) < seconds:
        optimizer.param_groups[0]["lr"] = 5e-4 * (1 + np.cos(np.pi * spent / seconds))
        if len(order) < 8:
            order = torch.randperm(len(images)).tolist()
        batch, order = order[:8], order[8:]
        x, y = images[batch], masks[batch]
        for axis in (2, 3):
            flipped = (torch.rand(len(batch)) < 0.5).nonzero()[:, 0]
            x[flipped], y[flipped] = x[flipped].flip(axis), y[flipped].flip(axis)
        loss = dice_loss(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    return steps


def write_masks(network, run, root, size, folder):
    images, _, rows = read_part(run, root, "validation", size)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    network.eval()
    with torch.no_grad():
        for image, row in zip(images, rows):
            truth = Image.open(root / row["mask"]).convert("L")
            p = torch.sigmoid(network(image[None]))
            p = nn.functional.interpolate(p, size=truth.size[::-1], mode="bilinear", align_corners=False)
            name = pathlib.Path(row["image"]).stem + ".png"
            Image.fromarray(((p[0, 0] > 0.5).numpy() * 255).astype(np.uint8)).save(folder / name)
            truth.save(folder / "truth" / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("masks", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=230)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1337)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    network = UNet()
    images, masks, _ = read_part(options.run, options.root, "train", options.size)
    steps = train(network, images, masks, options.seconds)
    write_masks(network, options.run, options.root, options.size, options.masks)
    print(f"{sum(p.numel() for p in network.parameters())} parameters, {steps} steps in {options.seconds:.0f} s of CPU time")


if __name__ == "__main__":
    main()
