"""Writes the seeds of the fuzzers, tests/fuzz/seeds/TARGET/*, from the fixtures and configurations.

    python3 tests/fuzz/make_seeds.py
"""

import json
import pathlib
import shutil
import struct
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
FIXTURES = PROJECT / "tests/fixtures/torch_zip"
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2,
          "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}


def safetensors(tensors, metadata=None):
    """tensors: name -> (dtype, shape)."""
    header, position = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape) in tensors.items():
        size = DTYPES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(i % 7 for i in range(position))


def safetensors_seeds():
    yield "dtypes", safetensors({dtype: (dtype, [2, 1]) for dtype in DTYPES}, {"format": "pt"})
    yield "scalar_and_empty", safetensors({"a": ("F32", []), "b": ("F16", [0, 3]), "c": ("U8", [1]), "d": ("F64", [1])})
    yield "no_tensors", safetensors({})
    header = rb'{"\u00e9\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}  '
    yield "escapes", struct.pack("<Q", len(header)) + header + b"x"


def torch_zip_seeds():
    for path in sorted(FIXTURES.iterdir()):
        if path.name not in ("plain_protocol3.pth", "before_1_6.pth"):
            yield path.name, path.read_bytes()


def pickle_seeds():
    for path in sorted(FIXTURES.iterdir()):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield path.name, archive.read(path.stem + "/data.pkl")
    yield "odd_opcodes", (b"\x80\x02(]}q\x00\x8f(K\x01\x90\x94X\x01\x00\x00\x00aG?\xf0\x00\x00\x00\x00\x00\x00"
                          b"s2h\x00\x85\x86\x8a\x021\x00\x8b\x01\x00\x00\x00\x01M\x01\x00J\x01\x00\x00\x00"
                          b"\x88\x89NC\x01aU\x01bB\x01\x00\x00\x00c10(ld1t.")


def json_seeds():
    whole = safetensors({dtype: (dtype, [2]) for dtype in DTYPES}, {"format": "pt"})
    yield "header", whole[8:whole.rindex(b"}") + 1]
    yield "numbers", rb'{"a":[0,-1,1.5e300,18446744073709551615,true,false,null],"b":{"c":{"\ud83d\ude00":""}}}'
    yield "twice", b'{"a":1,"a":2}'
    yield "deep", b'{"a":' + b"[" * 12 + b"]" * 12 + b"}"


def shard_index_seeds():
    def index(names):
        return json.dumps({"metadata": {"total_size": 20}, "weight_map": names}).encode()

    yield "both", index({"x": "a.safetensors", "y": "b.safetensors"})
    yield "missing_tensor", index({"x": "b.safetensors"})
    yield "missing_file", index({"x": "c.safetensors"})
    yield "elsewhere", index({"x": "../a.safetensors"})
    yield "no_map", b'{"weight_map":[]}'


def recognise_seeds():
    """Each format's names; two numbers in every tensor."""
    def network(prefix, names, dtype="F32"):
        return {prefix + name: (dtype, [2]) for name in names.split()}

    autoencoder = ("encoder.conv_in.weight encoder.down.0.block.0.conv1.weight decoder.up.0.block.0.conv1.weight "
                   "decoder.mid.attn_1.q.weight quant_conv.weight loss.logvar")
    unet = "input_blocks.0.0.weight middle_block.0.in_layers.0.weight out.2.bias"
    yield "kl_f8", safetensors(network("", autoencoder, "F16"))
    yield "unet", safetensors({**network("", unet), "input_blocks.0.0.weight": ("F32", [1, 2, 1, 1])})
    ema = {"model_ema.diffusion_model" + name.replace(".", ""): ("F32", [2]) for name in unet.split()}
    yield "lsun_churches", safetensors({**network("model.diffusion_model.", unet), **ema,
                                        **network("first_stage_model.", autoencoder), "betas": ("F32", [3])})
    yield "sdseg", safetensors({
        **network("model.diffusion_model.", unet),
        "model.diffusion_model.input_blocks.0.0.weight": ("F32", [1, 2, 1, 1]),
        **network("cond_stage_model.", "encoder.conv_in.weight out.weight"), "scale_factor": ("F32", [])})
    halves = "{0}conv_in.weight {0}mid_block.attentions.0.to_q.weight {0}mid_block.attentions.0.query.bias "
    yield "autoencoder_kl", safetensors({
        **network("", halves.format("encoder.") + halves.format("decoder.")
                  + "encoder.down_blocks.0.resnets.0.conv1.weight decoder.up_blocks.0.resnets.0.conv1.weight "
                  "decoder.up_blocks.3.upsamplers.0.conv.bias"),
        "encoder.mid_block.attentions.0.to_k.weight": ("F32", [2, 2])})
    yield "autoencoder_tiny", safetensors(network("vae.", "encoder.layers.0.weight decoder.layers.0.weight", "BF16"))
    yield "taesd", safetensors(network("", "encoder.0.weight decoder.1.weight decoder.3.conv.0.weight"))
    block = "norm1.weight attn.qkv.weight mlp.fc1.weight mlp.fc2.weight ls1.gamma"
    yield "dinov2", safetensors({**network("", "cls_token mask_token patch_embed.proj.weight norm.weight"),
                                 "pos_embed": ("F32", [1, 4, 2]), **network("blocks.0.", block),
                                 **network("blocks.0.1.", block)})
    head = "embeddings.cls_token embeddings.patch_embeddings.projection.weight embeddings.position_embeddings "
    layer = " ".join(f"encoder.layer.0.attention.attention.{part}.weight" for part in ("query", "key", "value"))
    yield "dinov2_hf", safetensors(network("dinov2.", head + layer + " encoder.layer.0.layer_scale1.lambda1"))
    yield "clip", safetensors(network("visual.", "conv1.weight class_embedding ln_pre.weight positional_embedding "
                                      "transformer.resblocks.0.attn.in_proj_weight transformer.resblocks.0.ls_1.gamma"))
    layer = " ".join(f"encoder.layers.0.self_attn.{part}_proj.weight" for part in "qkv")
    yield "clip_hf", safetensors(network("vision_model.", "embeddings.class_embedding pre_layrnorm.weight "
                                         "embeddings.patch_embedding.weight embeddings.position_ids " + layer))


def config_seeds():
    for path in sorted((PROJECT / "configs").rglob("*.yaml")):
        text = path.read_text()
        if len(text) < 2500:
            yield path.stem, "".join(line + "\n" for line in text.splitlines() if not line.startswith("base:")).encode()
    yield "syntax", (b"seed: &s 7\ntrain: {steps: *s, batch_size: 2}\nmodel:\n  autoencoder:\n    type: tiny\n"
                     b'data:\n  root: "${LEAF_ROOT:-/data}/a$${b}"\noutput: {dir: |\n  runs\n}\n')
    yield "base", b"base: none.yaml\nseed: 1\n"
    yield "aliases", b"a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def csv_seeds():
    yield "quotes", b'image,mask\n"a, b.png","say ""x"""\n\n\r\nc.png,\r\n'
    yield "mark", b"\xef\xbb\xbfa,b\n1,2\n"
    yield "open_quote", b'"a,b\nc'


def volume_seeds():
    folder = PROJECT / "tests/fixtures/volumes"
    for name in ("orientation-LPS.nii.gz", "type-f8-be.nii", "nifti2-be.nii", "rgb24.nii.gz", "extension.nii.gz",
                 "scaled-i2.nii.gz", "four.nii.gz", "qform.nii.gz"):
        yield name, (folder / name).read_bytes()


def picture_seeds():
    """Every format, most kinds of each."""
    for folder in (PROJECT / "tests/fixtures/pictures", PROJECT / "tests/fixtures/data"):
        for path in sorted(folder.iterdir()):
            if path.suffix != ".json" and path.stat().st_size < 4000:
                yield path.name, path.read_bytes()


def dicom_seeds():
    """What follows the preamble and "DICM"."""
    folder = PROJECT / "tests/fixtures/dicom"
    for path in sorted(folder.glob("*.dcm")):
        if path.stat().st_size < 4000:
            yield path.stem, path.read_bytes()[132:]
    for name, change, to in (
            ("palette", b"US\6\0" + struct.pack("<3H", 256, 0, 16), b"UL\14\0" + struct.pack("<3I", 65536, 0, 16)),
            ("MONOCHROME2-SIGMOID", b"400\\1500", b"1.7e308 ")):
        content = (folder / f"{name}.dcm").read_bytes()[132:]
        assert change in content
        yield f"{name}-vast", content.replace(change, to)


def model_folder_seeds():
    def text(**content):
        return json.dumps(content).encode()

    yield "vae_kl", text(_class_name="AutoencoderKL", ch=32, ch_mult=[1, 2], num_res_blocks=1, z_channels=4, embed_dim=4,
                         attn_resolutions=[], double_z=True, in_channels=3, out_ch=3, scaling_factor=0.5, dropout=0.1)
    yield "vae_tiny", text(_class_name="AutoencoderTiny", variant="taef2", latent_channels=4)
    yield "unet", text(_class_name="UNetModel", in_channels=8, out_channels=4, model_channels=64, channel_mult=[1, 2, 2],
                       num_res_blocks=2, attention_resolutions=[1, 4], num_heads=4, dropout=0.2, num_classes=None,
                       use_scale_shift_norm=True, resblock_updown=True)
    yield "scheduler", text(_class_name="DDIMScheduler", beta_schedule="scaled_linear", beta_start=0.001, beta_end=0.02,
                            num_train_timesteps=1000, prediction_type="v_prediction", clip_sample=False,
                            clip_sample_range=2.0, set_alpha_to_one=False, steps_offset=1, timestep_spacing="trailing",
                            trained_betas=None, thresholding=False)
    yield "preprocessing", text(format_version=1, resolution=64, channel_order="RGB", image_range=[0, 1],
                                resize="bilinear, antialiased", threshold=0.25, classes=["background", "polyp"],
                                num_inference_steps=2)
    yield "index", text(_class_name="LeafPipeline", vae=["leaf.autoencoder", "AutoencoderKL"], unet=["leaf.unet", "UNetModel"])


def checkpoint_seeds():
    state = {"format_version": 1, "step": 5, "best_score": 0.25, "best_step": 2, "validation_due": True}
    yield "state", json.dumps(state).encode()
    yield "checksums", json.dumps({**state, "checksums": {"weights.safetensors": "crc32:00000000"}}).encode()
    yield "other_step", json.dumps({**state, "step": -7}).encode()


def http_request_seeds():
    """The body's type, the query, the body."""
    form = (b'--limit\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--limit\r\n\r\nno headers\r\n'
            b'--limit\r\ncontent-disposition: form-data; name="image"; filename="a \\"b\\".png"\r\n'
            b'Content-Type: image/png\r\n\r\nbytes\r\n--limit--\r\n')
    yield "form", b"multipart/form-data; boundary=limit\noutput=json&threshold=0.5\n" + form
    yield "quoted", b'Multipart/Form-Data; charset=utf-8; boundary="limit"\nname=0001.png&orientation=displayed\n' + form
    yield "plain", b"image/png\noutput=coco&name=a&name=b\nbytes"


SEEDS = {"safetensors": safetensors_seeds, "torch_zip": torch_zip_seeds, "pickle": pickle_seeds, "json": json_seeds,
         "shard_index": shard_index_seeds, "recognise": recognise_seeds, "config": config_seeds,
         "csv": csv_seeds, "model_folder": model_folder_seeds, "checkpoint": checkpoint_seeds,
         "picture": picture_seeds, "dicom": dicom_seeds, "volume": volume_seeds,
         "http_request": http_request_seeds}

if __name__ == "__main__":
    shutil.rmtree(HERE / "seeds", ignore_errors=True)
    for target, seeds in SEEDS.items():
        folder = HERE / "seeds" / target
        folder.mkdir(parents=True)
        for name, content in seeds():
            (folder / name).write_bytes(content)
