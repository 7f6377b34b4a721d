"""Reads the segmentations that parity_dicom wrote with pydicom and highdicom.

    python tests/parity/check_dicom_seg.py FOLDER

FOLDER/sources holds DICOM files, and folders of one series each; FOLDER/segmentations what was made of them. Pixels,
references, positions and labels are compared; dciodvfy (Debian's dicom3tools), where it is there, must find no error.
"""

import pathlib
import shutil
import subprocess
import sys

import highdicom
import numpy
import pydicom

CLASSES = ("liver", "tumour")


def expected_labels(frames, height, width):
    f, y, x = numpy.mgrid[0:frames, 0:height, 0:width]
    return (x + 2 * y + 3 * f) % 3


def source_frames(entry):
    paths = sorted(entry.iterdir()) if entry.is_dir() else [entry]
    for path in paths:
        dataset = pydicom.dcmread(path)
        for frame in range(int(dataset.get("NumberOfFrames") or 1)):
            yield dataset, frame


def check_frames(seg, sources, labels):
    """Each frame's pixels, and what it says of its source."""
    masks = seg.pixel_array.reshape(-1, *labels.shape[1:])
    assert len(masks) == len(CLASSES) * len(sources)
    for index, groups in enumerate(seg.PerFrameFunctionalGroupsSequence):
        segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        image = groups.DerivationImageSequence[0].SourceImageSequence[0]
        place = index % len(sources)
        dataset, frame = sources[place]
        assert image.ReferencedSOPInstanceUID == dataset.SOPInstanceUID
        assert image.ReferencedSOPClassUID == dataset.SOPClassUID
        if int(dataset.get("NumberOfFrames") or 1) > 1:
            assert image.ReferencedFrameNumber == frame + 1
        assert (masks[index] == (labels[place] == segment)).all(), index
        if "ImagePositionPatient" in dataset:
            position = groups.PlanePositionSequence[0].ImagePositionPatient
            assert position == dataset.ImagePositionPatient


def check_by_highdicom(path, sources, labels):
    seg = highdicom.seg.segread(path)
    assert [seg.get_segment_description(i + 1).segment_label for i in range(2)] == list(CLASSES)
    assert seg.segmentation_type == highdicom.seg.SegmentationTypeValues.BINARY
    if len({dataset.SOPInstanceUID for dataset, _ in sources}) == len(sources) and "NumberOfFrames" not in sources[0][0]:
        uids = [dataset.SOPInstanceUID for dataset, _ in sources]
        pixels = seg.get_pixels_by_source_instance(uids, combine_segments=True)
    else:
        uid = sources[0][0].SOPInstanceUID
        pixels = seg.get_pixels_by_source_frame(uid, [frame + 1 for _, frame in sources], combine_segments=True)
    assert (pixels == labels).all()


def check_by_dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        return "dciodvfy is not there"
    result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    assert not errors, "\n".join(errors)
    warnings = sum(line.startswith("Warning") for line in lines)
    return f"dciodvfy: no error, {warnings} warnings"


def main():
    folder = pathlib.Path(sys.argv[1])
    for entry in sorted((folder / "sources").iterdir()):
        path = folder / "segmentations" / (entry.stem + ".dcm")
        sources = list(source_frames(entry))
        seg = pydicom.dcmread(path)
        first = sources[0][0]
        labels = expected_labels(len(sources), first.Rows, first.Columns)
        for name in ("PatientName", "PatientID", "StudyInstanceUID"):
            assert seg[name].value == first[name].value, name
        assert seg.get("FrameOfReferenceUID") == first.get("FrameOfReferenceUID")
        check_frames(seg, sources, labels)
        check_by_highdicom(path, sources, labels)
        print(f"{entry.name}: {len(sources)} source frames as pydicom and highdicom read them; {check_by_dciodvfy(path)}")


if __name__ == "__main__":
    main()
