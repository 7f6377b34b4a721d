"""Writes the fixtures that timm computes: plain ViTs, DINOv2, CLIP towers and masked autoencoders.

    python tests/parity/make_timm_fixtures.py [FOLDER] [--published NAME | --list]

The images are of another size than the position grid was made for, which timm resamples as we do.
"""

import functools

import timm
import torch
from parity_fixtures import Fixture, draw, formula_values, inputs, main, transformer_spread
from timm.layers import QuickGELU, SwiGLUPacked
from timm.models.vision_transformer import Block, VisionTransformer

SMALL = dict(img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=2)
CONFIGURATION = dict(
    part="teacher", width=24, depth=2, num_heads=3, patch_size=4, grid=4, layer_scale=False
)
REGISTERS = dict(reg_tokens=2, no_embed_class=True)
SWIGLU = dict(mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU, mlp_ratio=2 * 2.66667)  # as timm's giant


class MaskedAutoencoder(VisionTransformer):
    """With a decoder under the names of the published MAE."""

    def __init__(self, decoder_width, decoder_depth, decoder_heads, **options):
        super().__init__(num_classes=0, **options)
        positions, patch = self.pos_embed.shape[1], self.patch_embed.patch_size[0]
        self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, decoder_width))
        self.decoder_embed = torch.nn.Linear(self.embed_dim, decoder_width)
        self.decoder_pos_embed = torch.nn.Parameter(torch.zeros(1, positions, decoder_width))
        blocks = (Block(decoder_width, decoder_heads, qkv_bias=True) for _ in range(decoder_depth))
        self.decoder_blocks = torch.nn.ModuleList(blocks)
        self.decoder_norm = torch.nn.LayerNorm(decoder_width)
        self.decoder_pred = torch.nn.Linear(decoder_width, 3 * patch**2)


def own_names(weights):
    return weights


def mae_names(weights):
    """MAE's files hold their state dict under `model`."""
    return {f"model.{name}": tensor for name, tensor in weights.items()}


def dinov2_names(weights):
    """timm's form of DINOv2 with registers -> DINOv2's own files. Their position embedding has an entry for the
    class token; timm adds it to the class token and keeps the grid alone."""
    entry = formula_values("entry", weights["cls_token"].shape).float()
    weights["pos_embed"] = torch.cat([entry, weights["pos_embed"]], dim=1)
    weights["cls_token"] = weights["cls_token"] - entry
    weights["register_tokens"] = weights.pop("reg_token")
    weights["mask_token"] = torch.zeros_like(entry[0])
    return weights


def dinov2_giant_names(weights):
    def rename(name):
        return name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")

    return {rename(name): tensor for name, tensor in dinov2_names(weights).items()}


def fixture(model, images, configuration, names=own_names):
    draw(model, transformer_spread)
    tokens = model.forward_features(images)[:, model.num_prefix_tokens :]
    weights = names(dict(model.state_dict()))
    return Fixture(configuration, {"images": images, "tokens": tokens}, weights)


def small(options=None, names=own_names, model=VisionTransformer, **configuration):
    network = model(**SMALL | dict(dynamic_img_size=True) | (options or {}))
    return fixture(network, inputs(2, 3, 24, 20), CONFIGURATION | configuration, names)


def small_mae():
    options = {name: value for name, value in SMALL.items() if name != "num_classes"}
    network = MaskedAutoencoder(8, 1, 2, **options, dynamic_img_size=True)
    return fixture(network, inputs(2, 3, 24, 20), CONFIGURATION, mae_names)


def published(name, teacher, side, names=own_names, **options):
    network = timm.create_model(name, dynamic_img_size=True, **options)
    return fixture(network, inputs(1, 3, side, side), dict(part="teacher", teacher=teacher), names)


def published_mae():
    network = MaskedAutoencoder(512, 8, 16, dynamic_img_size=True)  # timm's default is ViT-B/16
    configuration = dict(part="teacher", teacher="mae_vit_base_patch16_224")
    return fixture(network, inputs(1, 3, 256, 256), configuration, mae_names)


LAYER_SCALE = dict(init_values=1.0)
GIANT = LAYER_SCALE | REGISTERS | SWIGLU
GIANT_CONFIGURATION = dict(layer_scale=True, num_registers=2, swiglu=True)
CLIP = dict(
    pre_norm=True, act_layer=QuickGELU, norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5)
)

if __name__ == "__main__":
    main(
        {
            "timm_vit": small,
            "timm_dinov2": lambda: small(LAYER_SCALE, layer_scale=True),
            "timm_dinov2_giant": lambda: small(GIANT, **GIANT_CONFIGURATION),
            "timm_clip": lambda: small(CLIP, norm_pre=True, quick_gelu=True, norm_eps=1e-5),
            "dinov2_registers": lambda: small(
                LAYER_SCALE | REGISTERS, dinov2_names, layer_scale=True, num_registers=2
            ),
            "dinov2_giant": lambda: small(GIANT, dinov2_giant_names, **GIANT_CONFIGURATION),
            "mae": small_mae,
        },
        {
            "timm_vit_base_patch16_224": lambda: published(
                "vit_base_patch16_224", "vit_base_patch16_224", 256
            ),
            "timm_dinov2_vits14": lambda: published("vit_small_patch14_dinov2", "dinov2_vits14", 224),
            "timm_dinov2_vitb14_reg": lambda: published(
                "vit_base_patch14_reg4_dinov2", "dinov2_vitb14_reg", 224
            ),
            "dinov2_vitb14_reg": lambda: published(
                "vit_base_patch14_reg4_dinov2", "dinov2_vitb14_reg", 224, dinov2_names
            ),
            "mae_vit_base_patch16_224": published_mae,
        },
    )
