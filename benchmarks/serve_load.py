"""Asks leaf_serve for masks: serve_load.py ADDRESS IMAGES MASKS PID [--clients N] [--seconds S] (called by
serve_load.sh). MASKS has leaf_infer's masks of IMAGES and its summary.json."""

import argparse
import http.client
import json
import pathlib
import sys
import threading
import time
import urllib.parse


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


class Clients:
    def __init__(self, address, images, masks):
        self.address = urllib.parse.urlsplit(address)
        self.cases = [(path.name, path.read_bytes(), (masks / f"{path.stem}.png").read_bytes())
                      for path in sorted(images.iterdir()) if (masks / f"{path.stem}.png").exists()]
        self.lock = threading.Lock()
        self.seconds, self.refused, self.wrong = [], 0, []

    def ask(self, name, image):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=120)
        connection.request("POST", "/segment?name=" + urllib.parse.quote(name), image, {"Content-Type": "image/png"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def run(self, first, end):
        place = first
        while time.monotonic() < end:
            name, image, mask = self.cases[place % len(self.cases)]
            start = time.monotonic()
            try:
                status, body = self.ask(name, image)
            except OSError as failure:
                status, body = 0, str(failure).encode()
            with self.lock:
                if status == 503:
                    self.refused += 1
                    continue
                self.seconds.append(time.monotonic() - start)
                if status != 200 or body != mask:
                    self.wrong.append(f"{name}: {status}, {len(body)} bytes for {len(mask)}")
            place += 7  # each client in its own order


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("masks", type=pathlib.Path)
    parser.add_argument("pid", type=int)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    summary = json.loads((options.masks / "summary.json").read_text())
    reference = summary["totals"]["done"] / summary["totals"]["seconds"]
    clients = Clients(options.address, options.images, options.masks)
    start = time.monotonic()
    threads = [threading.Thread(target=clients.run, args=(i, start + options.seconds)) for i in range(options.clients)]
    for thread in threads:
        thread.start()
    time.sleep(options.seconds / 4)
    early = resident_mb(options.pid)
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    late = resident_mb(options.pid)
    rate, times = len(clients.seconds) / took, sorted(clients.seconds)
    print(f"leaf_infer: {reference:.2f} images/s; leaf_serve, {options.clients} clients: {rate:.2f} images/s, "
          f"{rate / reference:.3f} of it")
    print(f"{len(times)} answers, {clients.refused} refused (503), {len(clients.wrong)} wrong or missing; seconds: "
          f"median {percentile(times, 0.5):.3f}, p99 {percentile(times, 0.99):.3f}, longest {times[-1]:.3f}")
    print(f"memory after a quarter {early:.0f} MB, at the end {late:.0f} MB ({100 * (late / early - 1):+.1f} %)")
    print("\n".join(clients.wrong[:10]), end="\n" if clients.wrong else "")
    sys.exit(1 if clients.wrong or rate < 0.95 * reference or late > 1.05 * early else 0)


if __name__ == "__main__":
    main()
