"""Segments volumes with leaf_infer and looks at the masks with nibabel.

    python tests/parity/check_volumes.py LEAF_INFER MODEL WORK_FOLDER

Of the fixtures (tests/fixtures/volumes) every mask must have its source's shape, affine, sform, qform and units, hold whole
numbers that are not scaled, and those of the 48 orientations of one volume must be the same mask in the world.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import nibabel
import numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures/volumes"


def geometry(image):
    header = image.header
    return [image.shape, image.affine.tolist(), image.get_sform().tolist(), image.get_qform().tolist(),
            int(header["sform_code"]), int(header["qform_code"]), header.get_zooms()[:3], header.get_xyzt_units()]


def main():
    program, model, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    rows = [row for row in json.loads((FIXTURES / "expected.json").read_text()) if "values" in row]
    inputs, output = work / "volumes", work / "masks"
    for folder in (inputs, output):
        shutil.rmtree(folder, ignore_errors=True)
    inputs.mkdir(parents=True)
    for row in rows:
        if row.get("orientation") or row.get("type") == "byte":  # others are beyond the model's range of values
            shutil.copy(FIXTURES / row["file"], inputs / row["file"])
    subprocess.run([program, "--model", model, "--input", inputs, "--output", output, "--quiet"], check=True)
    canonical, wrong = [], []
    for file in sorted(inputs.iterdir()):
        source, mask = nibabel.load(file), nibabel.load(output / file.name)
        if geometry(source) != geometry(mask) or mask.get_data_dtype() != numpy.uint8:
            wrong.append(file.name)
        if mask.dataobj.slope != 1 or mask.dataobj.inter != 0 or numpy.asarray(mask.dataobj).max() > 1:
            wrong.append(file.name + " (values)")
        if file.name.startswith("orientation-"):
            canonical.append(numpy.asarray(nibabel.as_closest_canonical(mask).dataobj))
    same = all(numpy.array_equal(canonical[0], other) for other in canonical)
    share = canonical[0].mean()
    print(f"{len(list(inputs.iterdir()))} masks, wrong: {wrong or 'none'}; {len(canonical)} orientations, "
          f"{'the same mask' if same else 'DIFFERENT masks'}, {share:.0%} foreground")
    sys.exit(bool(wrong) or not same or share in (0, 1))  # an empty mask proves nothing


main()
