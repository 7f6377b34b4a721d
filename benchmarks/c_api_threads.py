"""Threads that share a model through the C interface, without pause: c_api_threads.py MODEL IMAGES [--threads 10]
[--seconds 60]. Every mask is compared with that of one thread before; ends with 1 where one differs or a call fails, or
where resident memory grows by more than 5 % after the first quarter. LEAF_C_LIBRARY names libleaf_c.so. Needs numpy."""

import argparse
import pathlib
import sys
import threading
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples/python"))
import segment  # noqa: E402


def resident_mb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


class Callers:
    def __init__(self, model, images):
        self.model = segment.Model(model)
        self.images = sorted(images.iterdir())
        self.masks = [self.model.segment_file(image) for image in self.images]
        self.lock = threading.Lock()
        self.calls, self.wrong = 0, []

    def run(self, first, end):
        place = first
        while time.monotonic() < end:
            index = place % len(self.images)
            try:
                result = self.model.segment_file(self.images[index])
                right = all(map(numpy.array_equal, result, self.masks[index]))
                fault = None if right else "another result"
            except Exception as failure:  # whatever it is, the others go on
                fault = repr(failure)
            with self.lock:
                self.calls += 1
                if fault:
                    self.wrong.append(f"{self.images[index].name}: {fault}")
            place += 7


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    callers = Callers(options.model, options.images)
    end = time.monotonic() + options.seconds
    threads = [threading.Thread(target=callers.run, args=(i, end)) for i in range(options.threads)]
    for thread in threads:
        thread.start()
    time.sleep(options.seconds / 4)
    early = resident_mb()
    time.sleep(max(0, end - time.monotonic()))
    late = resident_mb()
    for thread in threads:
        thread.join()
    print(f"{callers.calls} calls of {options.threads} threads in {options.seconds:.0f} s, {len(callers.wrong)} wrong; "
          f"memory after a quarter {early:.0f} MB, at the end {late:.0f} MB ({100 * (late / early - 1):+.1f} %)")
    print("\n".join(callers.wrong[:10]), end="\n" if callers.wrong else "")
    sys.exit(1 if callers.wrong or callers.calls == 0 or late > 1.05 * early else 0)


if __name__ == "__main__":
    main()
