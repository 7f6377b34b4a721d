"""Writes the checkpoints in tests/fixtures/torch_zip that the unit tests read (PyTorch needed).

    python tests/parity/make_torch_zip_fixtures.py [FOLDER]
"""

import collections
import enum
import functools
import os
import pathlib
import sys
import types
import zipfile

import numpy
import torch


LIBRARY = "some_training_library"
sys.modules[LIBRARY] = types.ModuleType(LIBRARY)


def foreign(new):
    """Moves a class into a module that exists nowhere else, as checkpoints with callbacks hold them."""
    new.__module__ = LIBRARY
    setattr(sys.modules[LIBRARY], new.__name__, new)
    return new


class RunsACommand:
    def __reduce__(self):
        return os.system, ("touch leaf_ran_a_command",)


def plain():
    state = collections.OrderedDict()
    state["layer.weight"] = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    state["layer.bias"] = torch.nn.Parameter(torch.tensor([0.5, -1.5]))
    state["scalar"] = torch.tensor(7.0)
    state["empty"] = torch.zeros(0, 4)
    state._metadata = {"": {"version": 1}}
    return state


def hyper_parameters():
    """What a LightningModule's save_hyperparameters leaves behind: its own kind of dictionary, with anything in it."""
    return foreign(type("AttributeDict", (dict,), {}))(
        ordered=foreign(type("Ordered", (collections.OrderedDict,), {}))(width=torch.tensor([1.0])),
        defaults=collections.defaultdict(list, mult=[1, 2]),
        queue=collections.deque([1, 2], maxlen=2),
        function=functools.partial(foreign(type("Function", (), {})), 3, name="x"),
        root=pathlib.PurePosixPath("/data"),
        mode=foreign(enum.Enum("Mode", ["TRAIN"])).TRAIN,
        dtype=torch.bfloat16,
        device=torch.device("cuda", 1),
        size=torch.Size([2, 3]),
        mean=numpy.arange(3.0),
        scale=numpy.float32(0.5),
        interval=slice(1, 5, 2),
        frozen=frozenset({"a"}),
        raw=b"\x00\xff" * 200,
        text=bytearray(b"abc"),
        number=1j,
    )


def lightning():
    base = torch.arange(24, dtype=torch.float32)
    callback = foreign(type("Checkpoint", (), {}))()
    callback.best = 0.25
    callback.score = torch.tensor(0.75)
    callback.owner = callback
    return {
        "epoch": 3,
        "global_step": 2**40,
        "lr": 1e-4,
        "big": 2**80,
        "pytorch-lightning_version": "2.0.0",
        "hyper_parameters": hyper_parameters(),
        "callbacks": {
            callback.__class__: {"monitor": callback, "names": ["a", "b"], "set": {1, 2}},
            "EarlyStopping{'monitor': 'loss'}": {"best_score": torch.tensor(float("inf")), "patience": 3},
        },
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 3}}}},
        "lr_schedulers": [{"base_lrs": [1e-4], "lr_lambdas": [None, callback.__dict__]}],
        "optimizer_states": [
            {
                "state": {
                    0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)},
                    1: {"exp_avg": base[:3], "momentum_buffer": None},
                },
                "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0, 1], "amsgrad": False}],
                "flags": (True, False, None),
            }
        ],
        "state_dict": {
            "shared.first": base[:12].view(3, 4),
            "shared.second": base[12:].view(3, 4),
            "transposed": base.view(4, 6).t(),
            "every_other": base[1::2],
            "expanded": torch.tensor([2.0]).expand(3),
            "channels_last": torch.arange(16.0).view(1, 2, 2, 4).contiguous(memory_format=torch.channels_last),
            "types.bf16": torch.tensor([1.0, -2.5], dtype=torch.bfloat16),
            "types.fp16": torch.tensor([0.5, 65504.0], dtype=torch.float16),
            "types.fp64": torch.tensor([1e300], dtype=torch.float64),
            "types.int64": torch.tensor([-(2**40)], dtype=torch.int64),
            "types.int32": torch.tensor([-70000], dtype=torch.int32),
            "types.int16": torch.tensor([-300], dtype=torch.int16),
            "types.int8": torch.tensor([-3], dtype=torch.int8),
            "types.uint8": torch.tensor([250], dtype=torch.uint8),
            "types.bool": torch.tensor([True, False]),
            "types.complex": torch.tensor([1j]),
            "nested": {"deep": torch.tensor([9.0]), 5: torch.tensor([8.0]), "hook": callback},
        },
    }


def newer_types():
    """Types that came after storages were named by their type, and what is passed over."""
    with_attribute = torch.tensor([4.0, 5.0])
    with_attribute.note = "kept by Python"
    parameter = torch.nn.Parameter(torch.tensor([6.0]))
    parameter.note = "kept by Python"
    state = collections.defaultdict(list)
    state.update({
        "float8_e4m3": torch.tensor([1.0, -2.5]).to(torch.float8_e4m3fn),
        "float8_e5m2": torch.tensor([0.5, 24.0]).to(torch.float8_e5m2),
        "uint16": torch.tensor([65535, 1]).to(torch.uint16),
        "uint32": torch.tensor([2**32 - 1]).to(torch.uint32),
        "uint64": torch.tensor([2**40]).to(torch.uint64),
        "with_attribute": with_attribute,
        "parameter": parameter,
        "complex": torch.tensor([1j]),
        "quantised": torch.quantize_per_tensor(torch.tensor([1.0, 2.0]), 0.5, 0, torch.qint8),
        "sparse": torch.eye(2).to_sparse(),
        "meta": torch.empty(2, device="meta"),
        "float8_fnuz": torch.tensor([1.0]).to(torch.float8_e4m3fnuz),
    })
    return state


class Attention(torch.nn.Module):
    """One block's attention under the names of OpenAI's CLIP."""

    def __init__(self, width):
        super().__init__()
        self.in_proj_weight = torch.nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = torch.nn.Parameter(torch.zeros(3 * width))
        self.out_proj = torch.nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (x @ self.in_proj_weight.t() + self.in_proj_bias).chunk(3, -1)
        return self.out_proj((q @ k.transpose(-2, -1)).softmax(-1) @ v)


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attn = Attention(width)
        self.ln_1 = torch.nn.LayerNorm(width)
        self.ln_2 = torch.nn.LayerNorm(width)
        self.mlp = torch.nn.Sequential()
        self.mlp.add_module("c_fc", torch.nn.Linear(width, 2 * width))
        self.mlp.add_module("c_proj", torch.nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Visual(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, width, 2, 2, bias=False)
        self.class_embedding = torch.nn.Parameter(torch.zeros(width))
        self.positional_embedding = torch.nn.Parameter(torch.zeros(5, width))
        self.ln_pre = torch.nn.LayerNorm(width)
        self.transformer = torch.nn.Module()
        self.transformer.resblocks = torch.nn.Sequential(Block(width))
        self.ln_post = torch.nn.LayerNorm(width)
        self.proj = torch.nn.Parameter(torch.zeros(width, width))

    def forward(self, x):
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], 1) + self.positional_embedding
        return self.ln_post(self.transformer.resblocks(self.ln_pre(x))[:, 0]) @ self.proj


class Clip(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.visual = Visual(width)
        self.token_embedding = torch.nn.Embedding(3, width)
        self.logit_scale = torch.nn.Parameter(torch.zeros([]))
        self.register_buffer("input_resolution", torch.tensor(4))

    def forward(self, image, text):
        return self.logit_scale * self.visual(image) @ self.token_embedding(text).mT


def torchscript():
    """What OpenAI publishes of CLIP: a traced module in float16. The values count through the state dict."""
    model = Clip().eval()
    first = 0
    for value in model.parameters():
        value.data = torch.arange(first, first + value.numel(), dtype=torch.float32).view(value.shape)
        first += value.numel()
    traced = torch.jit.trace(model, (torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, dtype=torch.int64)), check_trace=False)
    return traced.half()


def save_torchscript(module, path):
    """torch.jit.save, but for the records that keep where the script and PyTorch lie on this machine."""
    torch.jit.save(module, path)
    with zipfile.ZipFile(path) as archive:
        records = [(info, archive.read(info)) for info in archive.infolist() if ".debug_pkl" not in info.filename]
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in records:
            archive.writestr(info, content)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures/torch_zip")
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(plain(), folder / "plain.pth")
    for protocol in (3, 4, 5):
        torch.save(plain(), folder / f"plain_protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(plain(), folder / "before_1_6.pth", _use_new_zipfile_serialization=False)
    torch.save(lightning(), folder / "lightning.ckpt")
    torch.save(newer_types(), folder / "newer_types.pth")
    torch.save(RunsACommand(), folder / "command.pth")
    torch.save({"weight": torch.ones(2), "hook": RunsACommand()}, folder / "command_inside.pth")
    torch.save(torch.nn.Linear(2, 1), folder / "whole_module.pth")
    save_torchscript(torchscript(), folder / "torchscript.pt")


if __name__ == "__main__":
    main()
