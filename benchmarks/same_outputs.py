"""Compares what two builds wrote: same_outputs.py FOLDER_A FOLDER_B (called by same_outputs.sh)."""

import csv
import json
import sys
from pathlib import Path

BYTES = {".safetensors", ".png", ".jpg"}
NOT_COMPARED = {"versions", "empty_convention"}  # words, not numbers


def scores(path: Path, keys: list[str]) -> list[list[str]]:
    with path.open(newline="") as file:
        return [[row.get(key, "") for key in keys] for row in csv.DictReader(file)]


def same_csv(a: Path, b: Path) -> bool:
    with a.open(newline="") as file:
        keys = next(csv.reader(file))
    return scores(a, keys) == scores(b, keys)


def covers(a: object, b: object) -> bool:
    """Whether b says all that a says."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(key in b and covers(a[key], b[key]) for key in a.keys() - NOT_COMPARED)
    return a == b


def same(a: Path, b: Path) -> bool:
    if not b.exists():
        return False
    if a.suffix == ".csv":
        return same_csv(a, b)
    if a.suffix == ".json":
        return covers(json.loads(a.read_text()), json.loads(b.read_text()))
    return a.read_bytes() == b.read_bytes()


def compared(folder: Path) -> list[Path]:
    """Images, weights and the scores; what else a run writes has times in it."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [f for f in files if f.suffix in BYTES or f.parent == folder / "scores"]


def main() -> int:
    a, b = Path(sys.argv[1]), Path(sys.argv[2])
    files = [file.relative_to(a) for file in compared(a)]
    different = [name for name in files if not same(a / name, b / name)]
    for name in different:
        print(f"differs: {name}")
    kinds = {suffix: sum(f.suffix == suffix for f in files) for suffix in sorted({f.suffix for f in files})}
    counts = ", ".join(f"{count} {suffix}" for suffix, count in kinds.items())
    print(f"{len(files)} files compared ({counts}), {len(different)} differ")
    return 1 if different or not files else 0


if __name__ == "__main__":
    sys.exit(main())
