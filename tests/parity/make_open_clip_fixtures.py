"""Writes the fixtures that open_clip computes.

    python tests/parity/make_open_clip_fixtures.py [FOLDER] [--published NAME | --list]
"""

import open_clip
from parity_fixtures import Fixture, draw, inputs, main, transformer_spread

CONFIGURATION = dict(
    part="teacher",
    width=24,
    depth=2,
    num_heads=3,
    patch_size=4,
    grid=4,
    layer_scale=False,
    norm_pre=True,
    norm_eps=1e-5,
)


def fixture(model, configuration, batch=1):
    draw(model, transformer_spread)
    model.visual.output_tokens = True
    images = inputs(batch, 3, *model.visual.image_size)
    _, tokens = model.visual(images)  # normed, without the class token
    return Fixture(configuration, {"images": images, "tokens": tokens}, dict(model.state_dict()))


def small():
    vision = dict(width=24, layers=2, head_width=8, patch_size=4, image_size=16)
    text = dict(width=8, layers=1, heads=2, context_length=4, vocab_size=8)
    return fixture(open_clip.CLIP(embed_dim=8, vision_cfg=vision, text_cfg=text), CONFIGURATION, 2)


def published(name, teacher):
    return fixture(open_clip.create_model(name), dict(part="teacher", teacher=teacher))


if __name__ == "__main__":
    main(
        {"open_clip": small},
        {
            name: lambda name=name, model=model: published(model, name)
            for name, model in (
                ("open_clip_vit_base_patch16_224", "ViT-B-16"),
                ("open_clip_vit_large_patch14_224", "ViT-L-14"),
            )
        },
    )
