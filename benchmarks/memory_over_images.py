"""Runs leaf_infer and watches its resident memory: memory_over_images.py IMAGES FROM PERCENT OUTPUT COMMAND... (called by
memory_over_images.sh). From the mask number FROM to the last it may grow by PERCENT."""

import os
import subprocess
import sys
import time


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return None  # it has ended


def masks_in(folder):
    if not os.path.isdir(folder):
        return 0
    return sum(name.endswith(".png") and name[0] != "." for name in os.listdir(folder))


def main():
    images, first, percent = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    output, command = sys.argv[4], sys.argv[5:]
    start = time.monotonic()
    process = subprocess.Popen(command)
    early = last = None
    highest = shown = 0
    while process.poll() is None:
        time.sleep(0.5)
        memory, done = resident_mb(process.pid), masks_in(output)
        if memory is None:
            continue
        last, highest = memory, max(highest, memory)
        if early is None and done >= min(first, images // 3):
            early = memory
        if done >= shown + images // 10:
            shown = done
            print(f"{done} images: {memory:.0f} MB, {done / (time.monotonic() - start):.1f} images/s", flush=True)
    if process.returncode != 0 or early is None:
        sys.exit(f"error: leaf_infer ended with {process.returncode}")
    growth = 100 * (last / early - 1)
    print(f"from {early:.0f} MB to {last:.0f} MB: {growth:+.1f} %; at most {highest:.0f} MB")
    sys.exit(1 if growth > percent else 0)


if __name__ == "__main__":
    main()
