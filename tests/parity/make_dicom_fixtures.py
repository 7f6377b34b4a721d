"""Writes DICOM files in every form that the reader meets, and what pydicom sees in them.

    python tests/parity/make_dicom_fixtures.py FOLDER [--small] [--pydicom]

FOLDER/expected.json lists for each file the samples that leaf::data::read_picture must give of the first frame, and the
levels that a viewer shows; or a part of the one line that names what is not read. --small writes the few that the
repository keeps in tests/fixtures/dicom; --pydicom adds the files that come with pydicom. No file is of a patient.
"""

import argparse
import io
import json
import pathlib
import warnings

import numpy
import pydicom
import pydicom.data
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.sequence import Sequence
from pydicom import uid

HEIGHT, WIDTH = 13, 20
JPEG2000_SIZE = (32, 35)  # the least that pylibjpeg's encoder takes, and more
NATIVE = {"implicit": uid.ImplicitVRLittleEndian, "explicit": uid.ExplicitVRLittleEndian,
          "big": uid.ExplicitVRBigEndian, "deflated": uid.DeflatedExplicitVRLittleEndian}
# Files of pydicom that guesses alone can read: an implicit data set under an explicit transfer syntax, and one cut short.
BROKEN = {"SC_rgb_jpeg.dcm": "has no value representation", "rtplan_truncated.dcm": "element (300a,00b0) states"}
NOT_DECODED = (uid.HTJ2KLossless, uid.HTJ2K, uid.JPEG2000MC)


def new_dataset(syntax, frames=1):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = (uid.MultiFrameTrueColorSecondaryCaptureImageStorage if frames > 1
                           else uid.SecondaryCaptureImageStorage)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.5", "2.25.6"
    dataset.PatientName, dataset.PatientID = "Secret^Patient", "SECRETID"
    dataset.Modality = "OT"
    if frames > 1:
        dataset.NumberOfFrames = frames
    return dataset


def set_pixels(dataset, stored, photometric, stored_bits=None, planar=0):
    """stored: [F,H,W] or [F,H,W,3]."""
    dataset.Rows, dataset.Columns = stored.shape[1:3]
    dataset.SamplesPerPixel = 3 if stored.ndim == 4 else 1
    dataset.PhotometricInterpretation = photometric
    if stored.ndim == 4:
        dataset.PlanarConfiguration = planar
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored = stored_bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    big = dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian
    order = stored.dtype.newbyteorder(">" if big else "<")
    pixels = numpy.moveaxis(stored, 3, 1) if planar else stored
    data = pixels.astype(order).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 else "OW"


def jpeg(stored, **options):
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG", **options)
    return buffer.getvalue()


class Fixtures:
    def __init__(self, folder, small):
        self.folder, self.small, self.rows = folder, small, []
        self.random = numpy.random.default_rng(11)

    def grey(self, dtype, frames=1, bits=None, size=(HEIGHT, WIDTH)):
        limits = numpy.iinfo(dtype)
        low, high = int(limits.min), int(limits.max)
        if bits:
            low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if low < 0 else (0, (1 << bits) - 1)
        return self.random.integers(low, high, (frames, *size), endpoint=True).astype(dtype)

    def colours(self, dtype=numpy.uint8, frames=1):
        return self.random.integers(0, numpy.iinfo(dtype).max, (frames, HEIGHT, WIDTH, 3), endpoint=True).astype(dtype)

    def smooth(self, channels, size=(HEIGHT, WIDTH)):
        y, x, c = numpy.mgrid[0:size[0], 0:size[1], 0:channels]
        return (40 + 5 * y + 6 * x + 20 * c).astype(numpy.uint8)

    def write(self, name, dataset, tolerance=0):
        path = self.folder / name
        dataset.save_as(path, enforce_file_format=True)
        self.expect(name, path, tolerance)

    def expect(self, name, path, tolerance=0):
        row = {"file": name, "tolerance": tolerance, **facts_of(pydicom.dcmread(path))}
        self.rows.append(row)


def first_frame(dataset):
    raw = dataset.PhotometricInterpretation in ("YBR_FULL", "YBR_FULL_422")
    pixels = pixel_array(dataset, index=0, raw=False) if raw or "NumberOfFrames" in dataset else pixel_array(dataset)
    return pixels[0] if int(dataset.get("NumberOfFrames") or 1) > 1 and pixels.ndim > (
        3 if dataset.SamplesPerPixel > 1 else 2) else pixels


def levels_of(values, dataset):
    """What a viewer shows, or None where the file does not say."""
    if "VOILUTSequence" not in dataset and ("WindowWidth" not in dataset or dataset.get("WindowWidth") in (None, "")):
        return None
    shown = apply_voi_lut(values, dataset).astype(numpy.float64)
    if "VOILUTSequence" in dataset:
        high, low = 2.0 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1, 0.0
    else:
        bits = int(dataset.BitsStored)
        low = -(2.0 ** (bits - 1)) if dataset.PixelRepresentation else 0.0
        high = low + 2.0 ** bits - 1
        slope = float(dataset.get("RescaleSlope", 1) or 1)
        offset = float(dataset.get("RescaleIntercept", 0) or 0)
        low, high = low * slope + offset, high * slope + offset
    levels = (shown - low) / (high - low) * 255
    return 255 - levels if dataset.PhotometricInterpretation == "MONOCHROME1" else levels


def facts_of(dataset):
    """The row of a file, but its name."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if "PixelData" not in dataset:
        return {"refused": "floating-point" if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
                else "without pixels" if syntax else "transfer syntax"}
    if syntax is None:
        return {"refused": "states no transfer syntax"}
    if syntax in NOT_DECODED or syntax.is_private:
        return {"refused": str(syntax)}
    pixels = first_frame(dataset)
    row = {"pages": int(dataset.get("NumberOfFrames") or 1)}
    kind = dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        colours = pydicom.pixels.apply_color_lut(pixels, dataset)
        depth = 255 if colours.dtype == numpy.uint8 else 65535
        row.update(colours=True, samples=numpy.round(colours[..., :3] * (255 / depth)).flatten().tolist())
        return row
    if dataset.SamplesPerPixel == 3 and dataset.BitsStored > 16:
        return {"refused": f"of {dataset.BitsStored} bits"}
    if dataset.SamplesPerPixel == 3:
        row["samples"] = pixels.flatten().tolist()
        return row
    values = apply_modality_lut(pixels, dataset).astype(numpy.float64)
    levels = levels_of(apply_modality_lut(pixels, dataset), dataset)
    if kind == "MONOCHROME1":
        bits = int(dataset.BitsStored)
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dataset.PixelRepresentation else (0, (1 << bits) - 1)
        ends = apply_modality_lut(numpy.array([low, high]), dataset).astype(numpy.float64)
        values = ends.sum() - values
    if dataset.BitsStored < 8 and not dataset.PixelRepresentation and levels is None:
        values = numpy.floor((values * 255 + ((1 << dataset.BitsStored) - 1) // 2) / ((1 << dataset.BitsStored) - 1))
    row["samples"] = values.flatten().tolist()
    if levels is not None:
        row["shown"] = numpy.round(levels.flatten(), 3).tolist()
    return row


def write_native(fixtures):
    for form, syntax in NATIVE.items():
        for dtype in ("u1", "u2", "i2", "u4"):
            if fixtures.small and dtype not in ("u2",):
                continue
            dataset = new_dataset(syntax)
            set_pixels(dataset, fixtures.grey(dtype, bits=24 if dtype == "u4" else None), "MONOCHROME2")
            fixtures.write(f"{form}-{dtype}.dcm", dataset)
        dataset = new_dataset(syntax)
        set_pixels(dataset, fixtures.colours(), "RGB", planar=int(form == "big"))
        fixtures.write(f"{form}-rgb.dcm", dataset)


def write_meanings(fixtures):
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            dataset = new_dataset(uid.ExplicitVRLittleEndian)
            set_pixels(dataset, fixtures.grey("u2", bits=12), photometric, stored_bits=12)
            dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
            dataset.WindowCenter, dataset.WindowWidth = ["40", "300"], ["400", "1500"]
            dataset.VOILUTFunction = function
            fixtures.write(f"{photometric}-{function}.dcm", dataset)
    dataset = new_dataset(uid.ExplicitVRLittleEndian)
    set_pixels(dataset, fixtures.grey("i2", bits=12), "MONOCHROME2", stored_bits=12)
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.25", "3.5"
    fixtures.write("fractions.dcm", dataset)
    dataset = new_dataset(uid.ExplicitVRLittleEndian)
    set_pixels(dataset, fixtures.grey("u2", bits=8), "MONOCHROME2", stored_bits=16)
    table = Dataset()
    table.LUTDescriptor = [200, 20, 16]
    table.LUTData = numpy.sort(fixtures.random.integers(0, 65536, 200)).tolist()
    table["LUTData"].VR = "US"
    dataset.VOILUTSequence = Sequence([table])
    fixtures.write("table.dcm", dataset)
    dataset = new_dataset(uid.ExplicitVRLittleEndian)
    set_pixels(dataset, fixtures.grey("u1"), "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData",
                fixtures.random.integers(0, 65536, 256).astype("<u2").tobytes())
    fixtures.write("palette.dcm", dataset)
    dataset = new_dataset(uid.ExplicitVRLittleEndian, frames=3)
    set_pixels(dataset, fixtures.grey("u2", frames=3), "MONOCHROME2")
    fixtures.write("frames.dcm", dataset)


def write_compressed(fixtures):
    for name, syntax in (("rle", uid.RLELossless), ("jpegls", uid.JPEGLSLossless)):
        for kind, stored, photometric in (("u1", fixtures.grey("u1"), "MONOCHROME2"),
                                          ("u2", fixtures.grey("u2"), "MONOCHROME2"),
                                          ("rgb", fixtures.colours(), "RGB"),
                                          ("frames", fixtures.grey("u1", frames=3), "MONOCHROME2")):
            dataset = new_dataset(uid.ExplicitVRLittleEndian, frames=len(stored))
            set_pixels(dataset, stored, photometric)
            dataset.compress(syntax, generate_instance_uid=False)
            fixtures.write(f"{name}-{kind}.dcm", dataset)
    for name, stored, photometric, options in (
            ("jpeg-grey", fixtures.smooth(1)[..., 0], "MONOCHROME2", {}),
            ("jpeg-ybr", fixtures.smooth(3), "YBR_FULL", {"subsampling": 0}),
            ("jpeg-422", fixtures.smooth(3), "YBR_FULL_422", {"subsampling": 1})):
        dataset = new_dataset(uid.JPEGBaseline8Bit)
        set_pixels(dataset, stored[None], photometric)
        dataset.PixelData = encapsulate([jpeg(stored, quality=90, **options)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.LossyImageCompression = "01"
        fixtures.write(f"{name}.dcm", dataset, tolerance=3)
    dataset = new_dataset(uid.JPEG2000MC)
    set_pixels(dataset, fixtures.grey("u1"), "MONOCHROME2")
    dataset.PixelData = encapsulate([b"what no decoder looks at"])
    dataset["PixelData"].is_undefined_length = True
    fixtures.write("jpeg2000-part2.dcm", dataset)


def write_jpeg2000(fixtures):
    size = JPEG2000_SIZE
    colours = fixtures.smooth(3, size)[None]
    for kind, stored, bits, photometric in (
            ("u1", fixtures.grey("u1", size=size), 8, "MONOCHROME2"),
            ("u2", fixtures.grey("u2", size=size), 16, "MONOCHROME2"),
            ("i2", fixtures.grey("i2", bits=12, size=size), 12, "MONOCHROME2"),
            ("rgb", colours, 8, "RGB"),
            ("rct", colours, 8, "YBR_RCT"),
            ("frames", fixtures.grey("u1", frames=2, size=size), 8, "MONOCHROME2")):
        if fixtures.small and kind in ("u1", "u2", "rgb"):
            continue
        dataset = new_dataset(uid.ExplicitVRLittleEndian, frames=len(stored))
        set_pixels(dataset, stored, photometric, stored_bits=bits)
        dataset.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
        fixtures.write(f"jpeg2000-{kind}.dcm", dataset)
    grey = (fixtures.smooth(1, size)[None, ..., 0] // 2).astype(numpy.uint8)
    for kind, stored, photometric in (("lossy", grey, "MONOCHROME2"), ("ict", colours // 2, "YBR_ICT")):
        dataset = new_dataset(uid.ExplicitVRLittleEndian)
        set_pixels(dataset, stored, photometric)
        dataset.compress(uid.JPEG2000, j2k_psnr=[40], generate_instance_uid=False)
        dataset.LossyImageCompression = "01"
        fixtures.write(f"jpeg2000-{kind}.dcm", dataset, tolerance=2)


def set_geometry(item, position):
    item.ImagePositionPatient = position
    return item


def write_series(folder, fixtures):
    """An oblique series of single frames."""
    folder.mkdir(parents=True, exist_ok=True)
    across = numpy.array([0.8, 0.6, 0.0])
    down = numpy.array([0.0, 0.0, -1.0])
    normal = numpy.cross(across, down)
    for number, place in enumerate((0, 1, 2, 3)):
        dataset = new_dataset(uid.ExplicitVRLittleEndian)
        set_pixels(dataset, fixtures.grey("i2", bits=12), "MONOCHROME2")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.7{number}"
        dataset.FrameOfReferenceUID = "2.25.8"
        dataset.PixelSpacing, dataset.SliceThickness = ["0.5", "0.75"], "2"
        dataset.ImageOrientationPatient = [*across.tolist(), *down.tolist()]
        set_geometry(dataset, numpy.round(10 + 2 * place * normal, 4).tolist())
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def write_enhanced(path, fixtures):
    """One file of several frames, each with its place."""
    dataset = new_dataset(uid.ExplicitVRLittleEndian, frames=3)
    set_pixels(dataset, fixtures.grey("u2", frames=3, bits=12), "MONOCHROME2")
    dataset.FrameOfReferenceUID = "2.25.8"
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.5", "0.5"], "3"
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for place in range(3):
        groups = Dataset()
        groups.PlanePositionSequence = Sequence([set_geometry(Dataset(), [0, 0, 3 * place])])
        frames.append(groups)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.save_as(path, enforce_file_format=True)


def write_sources(folder, fixtures):
    """What segmentations are made of (parity_dicom)."""
    write_series(folder / "series", fixtures)
    write_enhanced(folder / "enhanced.dcm", fixtures)
    for name, frames in (("picture", 1), ("film", 3)):
        dataset = new_dataset(uid.ExplicitVRLittleEndian, frames=frames)
        set_pixels(dataset, fixtures.colours(frames=frames), "RGB")
        dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)


def add_pydicom_files(fixtures):
    """What cannot be decoded by pydicom either must be refused or read, no more."""
    for source in sorted(pathlib.Path(pydicom.data.__file__).parent.joinpath("test_files").glob("*.dcm")):
        content = source.read_bytes()
        if content[128:132] != b"DICM":
            continue
        name = f"pydicom-{source.name}"
        (fixtures.folder / name).write_bytes(content)
        if source.name in BROKEN:
            fixtures.rows.append({"file": name, "refused": BROKEN[source.name]})
            continue
        try:
            fixtures.expect(name, source, tolerance=3)
        except Exception as error:  # whatever it is
            fixtures.rows.append({"file": name, "unsure": f"{type(error).__name__}"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--pydicom", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    fixtures = Fixtures(arguments.folder, arguments.small)
    for write in (write_native, write_meanings, write_compressed, write_jpeg2000):
        write(fixtures)
    if arguments.pydicom:
        add_pydicom_files(fixtures)
    if not arguments.small:
        write_sources(arguments.folder / "seg/sources", fixtures)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in fixtures.rows)
    (arguments.folder / "expected.json").write_text(f"[\n{lines}\n]\n")
    print(len(fixtures.rows), "files")


if __name__ == "__main__":
    main()
