"""One side of benchmarks/peers/run.sh: a runtime that answers as `leaf_bench --serve` does.

    serve.py KIND --reference DIR --model DIR --onnx FILE --inputs FILE --output FILE --threads N

Loads the network, runs it once and prints {"load_s", "first_ms", "peak_gb"}; then runs once for every line on
standard input and prints {"ms": per image, "peak_gb"}. At the end of the input the last probability goes to
--output. Imports are in no figure.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import time

from safetensors.numpy import load_file, save_file


def torch_side(options, compiled, channels_last, bf16):
    """PyTorch, eager or compiled, as published or with maps in channels-last order."""
    import torch
    from torch._inductor import config

    from network import load_network, reference_networks

    reference_networks(options.reference)  # so that load() has nothing to import
    config.freezing = True
    torch.set_num_threads(options.threads)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    grad_mode = torch.no_grad if compiled else torch.inference_mode

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16) if bf16 else contextlib.nullcontext()

    def load():
        network = load_network(options.reference, options.model).requires_grad_(False)
        network = network.to(memory_format=memory_format)
        if compiled:
            network = torch.compile(network)

        def run(image, noise):
            with grad_mode(), autocast():
                image, noise = (torch.from_numpy(x).contiguous(memory_format=memory_format) for x in (image, noise))
                return network(image, noise).float().contiguous().numpy()

        return run

    return load


def openvino_side(options, precision):
    import openvino

    def load():
        settings = {"INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": precision,
                    "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        network = openvino.Core().compile_model(options.onnx, "CPU", settings)
        return lambda image, noise: network({"image": image, "noise": noise})["probability"].copy()

    return load


def onnxruntime_side(options):
    import onnxruntime

    def load():
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        session = onnxruntime.InferenceSession(options.onnx, settings, providers=["CPUExecutionProvider"])
        return lambda image, noise: session.run(["probability"], {"image": image, "noise": noise})[0]

    return load


KINDS = {
    "eager": lambda o: torch_side(o, compiled=False, channels_last=False, bf16=False),
    "eager-channels-last": lambda o: torch_side(o, compiled=False, channels_last=True, bf16=False),
    "eager-channels-last-bf16": lambda o: torch_side(o, compiled=False, channels_last=True, bf16=True),
    "compile": lambda o: torch_side(o, compiled=True, channels_last=True, bf16=False),
    "compile-bf16": lambda o: torch_side(o, compiled=True, channels_last=True, bf16=True),
    "openvino": lambda o: openvino_side(o, "f32"),
    "openvino-bf16": lambda o: openvino_side(o, "bf16"),
    "openvino-int8": lambda o: openvino_side(o, "f32"),
    "onnxruntime": onnxruntime_side,
    "onnxruntime-int8": onnxruntime_side,
}


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def serve(load, inputs, answers):
    """Returns the last probability; `answers` is where the lines go."""
    def answer(**figures):
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        print(json.dumps({**figures, "peak_gb": peak_gb}), file=answers, flush=True)

    image, noise = inputs["image"], inputs["noise"]
    run, load_s = timed(load)
    probability, seconds = timed(run, image, noise)
    answer(load_s=load_s, first_ms=1000 * seconds)
    for _ in sys.stdin:
        probability, seconds = timed(run, image, noise)
        answer(ms=1000 * seconds / len(image))
    return probability


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    for name in ("reference", "model", "onnx", "inputs", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    load = KINDS[options.kind](options)
    probability = serve(load, load_file(options.inputs), answers)
    save_file({"probability": probability}, options.output)


if __name__ == "__main__":
    main()
