"""Writes the fixtures that Hugging Face's transformers computes: DINOv2 with and without registers, CLIP,
and masked autoencoders.

    python tests/parity/make_transformers_fixtures.py [FOLDER] [--published NAME | --list]

The images have the size of the position grid: where they have not, transformers resamples it in another way than
DINOv2's authors, timm and we do.
"""

import tempfile

import torch
import transformers
from parity_fixtures import Fixture, draw, inputs, main, transformer_spread
from safetensors.torch import load_file

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SMALL = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=16, patch_size=4)
CONFIGURATION = dict(part="teacher", width=24, depth=2, num_heads=3, patch_size=4, grid=4)
CLIP_CONFIGURATION = CONFIGURATION | dict(layer_scale=False, norm_pre=True, norm_eps=1e-5)


def saved_weights(model):
    """As save_pretrained writes them, which is not how the modules of newer versions are named."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


def dinov2(configuration, batch=1, **options):
    registers = options.get("num_register_tokens", 0)
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**options)
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        config = transformers.Dinov2Config(**options)
        model = transformers.Dinov2Model(config)
    draw(model, transformer_spread)
    images = inputs(batch, 3, config.image_size, config.image_size)
    tokens = model(pixel_values=images).last_hidden_state[:, 1 + registers :]
    return Fixture(configuration, {"images": images, "tokens": tokens}, saved_weights(model))


def clip(configuration, model, batch=1):
    draw(model, transformer_spread)
    tower = getattr(model, "vision_model", model)
    images = inputs(batch, 3, tower.config.image_size, tower.config.image_size)
    output = tower(pixel_values=images)
    tokens = tower.post_layernorm(output.last_hidden_state)
    assert tokens[:, 0].equal(output.pooler_output)  # the last hidden state is not normed already
    return Fixture(configuration, {"images": images, "tokens": tokens[:, 1:]}, saved_weights(model))


def clip_with_text(configuration, batch=1, text=None, **vision):
    config = transformers.CLIPConfig(
        vision_config=vision, text_config=text or {}, projection_dim=8 if text else 512
    )
    return clip(configuration, transformers.CLIPModel(config), batch)


def small_dinov2(options=None, **configuration):
    return dinov2(CONFIGURATION | configuration, 2, **SMALL, **(options or {}))


def small_clip():
    text = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    text |= dict(vocab_size=8, max_position_embeddings=4, bos_token_id=6, eos_token_id=7)
    configuration = CLIP_CONFIGURATION | dict(quick_gelu=True)
    return clip_with_text(configuration, 2, text, **SMALL, intermediate_size=96)


def small_clip_vision():
    config = transformers.CLIPVisionConfig(**SMALL, intermediate_size=96, hidden_act="gelu")
    return clip(CLIP_CONFIGURATION, transformers.CLIPVisionModel(config), 2)


def small_mae():
    """In the order of the image and without a mask; the published MAE's epsilon, which is not the default."""
    decoder = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    config = transformers.ViTMAEConfig(
        **SMALL,
        **{f"decoder_{name}": value for name, value in decoder.items()},
        intermediate_size=96,
        mask_ratio=0.0,
        layer_norm_eps=1e-6,
    )
    model = transformers.ViTMAEForPreTraining(config)
    draw(model, transformer_spread)
    images = inputs(2, 3, config.image_size, config.image_size)
    order = torch.arange(16.0).expand(2, -1)
    tokens = model.vit(pixel_values=images, noise=order).last_hidden_state[:, 1:]
    tensors = {"images": images, "tokens": tokens}
    return Fixture(CONFIGURATION | dict(layer_scale=False), tensors, saved_weights(model))


def published_dinov2(teacher, width, depth, heads, **options):
    options |= dict(hidden_size=width, num_hidden_layers=depth, num_attention_heads=heads)
    return dinov2(dict(part="teacher", teacher=teacher), image_size=518, patch_size=14, **options)


def published_clip(teacher, **options):
    return clip_with_text(dict(part="teacher", teacher=teacher), image_size=224, **options)


if __name__ == "__main__":
    main(
        {
            "hf_dinov2": small_dinov2,
            "hf_dinov2_giant": lambda: small_dinov2(dict(use_swiglu_ffn=True), swiglu=True),
            "hf_dinov2_registers": lambda: small_dinov2(dict(num_register_tokens=2), num_registers=2),
            "hf_clip": small_clip,
            "hf_clip_vision": small_clip_vision,
            "hf_mae": small_mae,
        },
        {
            "hf_dinov2_vits14": lambda: published_dinov2("dinov2_vits14", 384, 12, 6),
            "hf_dinov2_vitb14": lambda: published_dinov2("dinov2_vitb14", 768, 12, 12),
            "hf_dinov2_vitb14_reg": lambda: published_dinov2(
                "dinov2_vitb14_reg", 768, 12, 12, num_register_tokens=4
            ),
            "hf_dinov2_vitl14": lambda: published_dinov2("dinov2_vitl14", 1024, 24, 16),
            "hf_dinov2_vitg14": lambda: published_dinov2(
                "dinov2_vitg14", 1536, 40, 24, use_swiglu_ffn=True
            ),
            "hf_clip_vit_base_patch16_224": lambda: published_clip(
                "clip_vit_base_patch16_224", patch_size=16
            ),
            "hf_clip_vit_large_patch14_224": lambda: published_clip(
                "clip_vit_large_patch14_224",
                patch_size=14,
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=24,
                num_attention_heads=16,
            ),
        },
    )
