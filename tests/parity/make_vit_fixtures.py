"""Writes the vision transformers in tests/fixtures/vit that the parity test reads (timm needed).

    python tests/parity/make_vit_fixtures.py [FOLDER]

Each file holds a small network's weights, an input larger than its position grid was made for, and
the patch tokens that timm computes.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer

WIDTH = 24
IMAGES = (2, 3, 24, 20)  # 6x5 patches; the position grid is 4x4
COMMON = dict(
    img_size=16,
    patch_size=4,
    embed_dim=WIDTH,
    depth=2,
    num_heads=3,
    num_classes=2,
    dynamic_img_size=True,
)
# DINOv2's position embedding has an entry for the class token but none for registers. timm adds
# that entry to the class token and keeps the grid alone.
DINOV2 = dict(init_values=1.0, reg_tokens=2, no_embed_class=True)


def randomise(model, generator):
    """Values large enough that every part shows in the output."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        around_one = name.endswith("gamma") or ("norm" in name and name.endswith("weight"))
        parameter.data.copy_(1 + 0.2 * noise if around_one else 0.3 * noise)


def dinov2_names(weights, generator):
    """timm's form of a DINOv2 network -> the keys of DINOv2's own files."""
    entry = torch.randn((1, 1, WIDTH), generator=generator)
    weights["pos_embed"] = torch.cat([entry, weights["pos_embed"]], dim=1)
    weights["cls_token"] = weights["cls_token"] - entry
    weights["register_tokens"] = weights.pop("reg_token")
    weights["mask_token"] = torch.zeros(1, WIDTH)
    return weights


def swiglu_names(weights):
    def rename(name):
        return name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")

    return {rename(name): tensor for name, tensor in weights.items()}


@torch.no_grad()
def write(path, seed, convert, **options):
    generator = torch.Generator().manual_seed(seed)
    model = VisionTransformer(**COMMON, **options).eval()
    randomise(model, generator)
    images = torch.randn(IMAGES, generator=generator)
    tokens = model.forward_features(images)[:, model.num_prefix_tokens :]
    weights = convert(dict(model.state_dict()), generator)
    tensors = {f"weights.{name}": tensor.contiguous() for name, tensor in weights.items()}
    save_file({**tensors, "images": images, "tokens": tokens.contiguous()}, path)
    print(path, tuple(tokens.shape), f"norm {tokens.norm():.6f}")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures/vit")
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "timm.safetensors", 1, lambda weights, _: weights)
    write(folder / "dinov2_reg.safetensors", 2, dinov2_names, **DINOV2)
    write(
        folder / "dinov2_swiglu.safetensors",
        3,
        lambda weights, generator: swiglu_names(dinov2_names(weights, generator)),
        mlp_layer=SwiGLUPacked,
        act_layer=torch.nn.SiLU,
        mlp_ratio=2 * 2.66667,  # as timm's DINOv2 giant
        **DINOV2,
    )


if __name__ == "__main__":
    main()
