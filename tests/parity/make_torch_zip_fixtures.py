"""Writes the checkpoints in tests/fixtures/torch_zip that the unit tests read (PyTorch needed).

    python tests/parity/make_torch_zip_fixtures.py [FOLDER]
"""

import collections
import os
import pathlib
import sys
import types

import torch


def foreign_class(name):
    """A class of a module that exists nowhere else, as checkpoints with callbacks hold them."""
    module = types.ModuleType("some_training_library")
    sys.modules["some_training_library"] = module
    new = type(name, (), {"__module__": "some_training_library"})
    setattr(module, name, new)
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


def lightning():
    base = torch.arange(24, dtype=torch.float32)
    callback = foreign_class("Checkpoint")()
    callback.best = 0.25
    return {
        "epoch": 3,
        "global_step": 2**40,
        "lr": 1e-4,
        "big": 2**80,
        "callbacks": {callback.__class__: {"monitor": callback, "names": ["a", "b"], "set": {1, 2}}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "flags": (True, False, None)}],
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


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures/torch_zip")
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(plain(), folder / "plain.pth")
    for protocol in (3, 4, 5):
        torch.save(plain(), folder / f"plain_protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(plain(), folder / "before_1_6.pth", _use_new_zipfile_serialization=False)
    torch.save(lightning(), folder / "lightning.ckpt")
    torch.save(RunsACommand(), folder / "command.pth")
    torch.save({"weight": torch.ones(2), "hook": RunsACommand()}, folder / "command_inside.pth")
    torch.save(torch.nn.Linear(2, 1), folder / "whole_module.pth")


if __name__ == "__main__":
    main()
