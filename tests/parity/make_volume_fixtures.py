"""Writes NIfTI volumes in every form that the reader meets, and what nibabel sees in them.

    python tests/parity/make_volume_fixtures.py FOLDER

FOLDER/expected.json lists for each file its size, its affine and the slices that leaf::data::Volume must give: those of
nibabel's closest canonical orientation, turned as they are usually shown. Or a part of the one line that refuses it. The
repository keeps them in tests/fixtures/volumes.
"""

import itertools
import json
import pathlib
import sys

import nibabel
import numpy
from nibabel import orientations

SHAPE, SPACING = (5, 4, 3), (1.0, 1.5, 4.0)


def rotation(degrees):
    """About two axes: no axis of the file is one of the patient."""
    angle = numpy.radians(degrees)
    cos, sin = numpy.cos(angle), numpy.sin(angle)
    about_z = numpy.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    about_x = numpy.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return about_z @ about_x


def affine_of(spacing=SPACING, degrees=8):
    affine = numpy.eye(4)
    affine[:3, :3] = rotation(degrees) @ numpy.diag(spacing)
    affine[:3, 3] = (-12.5, 7.25, 30)
    return affine


def voxels(dtype, shape=SHAPE):
    """Different everywhere; below 120, so that every type holds them."""
    return (numpy.arange(numpy.prod(shape)) * 7 % 119).reshape(shape).astype(dtype)


def displayed(image):
    """[slices, H, W], or with colours: across the axis of the largest spacing, front or head up, right side left."""
    canonical = nibabel.as_closest_canonical(image)
    data = canonical.dataobj
    if data.dtype.fields:  # colours
        data = numpy.stack([numpy.asanyarray(data)[name] for name in data.dtype.names], -1)
    else:
        data = numpy.asanyarray(data)
    data = data.reshape(data.shape + (1,) * (3 - data.ndim))
    across = int(numpy.argmax(nibabel.affines.voxel_sizes(canonical.affine)))
    right, down = [axis for axis in range(3) if axis != across]
    slices = numpy.moveaxis(data, (across, down, right), (0, 1, 2))
    return slices[:, ::-1, ::-1]


class Fixtures:
    def __init__(self, folder):
        self.folder, self.rows = folder, []
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, name, image):
        nibabel.save(image, self.folder / name)

    def add(self, name, image, **more):
        self.save(name, image)
        back = nibabel.load(self.folder / name)
        slices = displayed(back)
        size = list(back.shape[:3]) + [1] * (3 - len(back.shape))
        self.rows.append({"file": name, "size": size, "affine": back.affine[:3].tolist(), "shape": list(slices.shape),
                          "values": slices.astype(float).ravel().tolist(), **more})

    def refuse(self, name, image, words):
        self.save(name, image)
        self.rows.append({"file": name, "refused": words})


def add_orientations(fixtures):
    base = nibabel.Nifti1Image(voxels(numpy.int16), affine_of())
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            turned = base.as_reoriented(numpy.array([[axis, flip] for axis, flip in zip(order, flips)]))
            name = "".join(orientations.aff2axcodes(turned.affine))
            fixtures.add(f"orientation-{name}.nii.gz", turned, orientation=True)


def add_types(fixtures):
    for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        kind = "byte" if dtype == "u1" else "float" if dtype[0] == "f" else "int"
        for order in "<>":
            if order == ">" and dtype[1] == "1":
                continue
            name = f"type-{dtype}-{'be' if order == '>' else 'le'}.nii"
            header = nibabel.Nifti1Header(endianness=order)
            header.set_data_dtype(dtype)
            fixtures.add(name, nibabel.Nifti1Image(voxels(dtype), affine_of(), header), type=kind)
    scaled = nibabel.Nifti1Image(voxels("i2"), affine_of())
    scaled.header.set_slope_inter(0.5, -3)
    fixtures.add("scaled-i2.nii.gz", scaled, type="float")
    bytes_ = nibabel.Nifti1Image(voxels("u1"), affine_of())
    bytes_.header.set_slope_inter(2, 1)
    fixtures.add("scaled-u1.nii", bytes_, type="float")
    for name, fields in (("rgb24", "RGB"), ("rgba32", "RGBA")):
        colours = numpy.zeros(SHAPE, numpy.dtype([(field, "u1") for field in fields]))
        for i, field in enumerate(fields):
            colours[field] = voxels("u1") + i
        fixtures.add(f"{name}.nii.gz", nibabel.Nifti1Image(colours, affine_of()), type="byte")


def add_forms(fixtures):
    second = nibabel.Nifti2Image(voxels("i2"), affine_of())
    fixtures.add("nifti2.nii.gz", second)
    header = nibabel.Nifti2Header(endianness=">")
    header.set_data_dtype("f4")
    fixtures.add("nifti2-be.nii", nibabel.Nifti2Image(voxels("f4"), affine_of(), header))
    qform = nibabel.Nifti1Image(voxels("i2"), affine_of())
    qform.set_sform(None, code=0)
    qform.set_qform(affine_of(), code=1)
    fixtures.add("qform.nii.gz", qform, tolerance=1e-4)
    fixtures.add("flat.nii.gz", nibabel.Nifti1Image(voxels("u1", (5, 4, 1)), affine_of()))
    fixtures.add("coronal.nii.gz", nibabel.Nifti1Image(voxels("i2"), affine_of((1, 5, 2))))
    fixtures.add("sagittal.nii.gz", nibabel.Nifti1Image(voxels("i2"), affine_of((6, 5, 2), 0)))
    extended = nibabel.Nifti1Image(voxels("i2"), affine_of())
    extended.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"a comment of some length" * 4))
    fixtures.add("extension.nii.gz", extended)


def add_refused(fixtures):
    fixtures.refuse("four.nii.gz", nibabel.Nifti1Image(voxels("i2", (3, 2, 2, 2)), affine_of()), "4 dimensions")
    fixtures.refuse("complex.nii.gz", nibabel.Nifti1Image(voxels("c8", (3, 2, 2)), affine_of()), "COMPLEX64")


def main():
    fixtures = Fixtures(pathlib.Path(sys.argv[1]))
    add_orientations(fixtures)
    add_types(fixtures)
    add_forms(fixtures)
    add_refused(fixtures)
    rows = ",\n".join(json.dumps(row) for row in fixtures.rows)
    (fixtures.folder / "expected.json").write_text(f"[\n{rows}\n]\n")


main()
