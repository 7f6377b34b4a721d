"""Scores random and degenerate masks with the packages that people use, for metrics_parity_test.

    make_metric_fixtures.py FOLDER [--count N] [--largest N] [--nnunet FILE] [--sdseg FILE] [--medsegdiff FILE]

Writes FOLDER/cases.json: masks as rows of bits, spacing and tolerance, and per case what monai, scipy, scikit-image,
scikit-learn, torchmetrics and medpy say; FOLDER/conventions.json: counts of pixels and what each convention's own tool
makes of them; FOLDER/wilcoxon.json: differences, and scipy's p. The files of nnU-Net (evaluate_predictions.py), SDSeg
(slice2seg.py) and MedSegDiff (segmentation_env.py) are read from checkouts: the functions that score are taken out of
them and run; without a file its convention is left out. tests/parity/metrics_requirements.txt has the versions.
"""

import argparse
import ast
import json
import warnings
from pathlib import Path

import numpy as np
import surface_distance
import torch
from medpy.metric import binary as medpy
from monai.metrics import DiceMetric, MeanIoU, compute_average_surface_distance, compute_hausdorff_distance
from monai.metrics import compute_surface_dice
from scipy import ndimage, stats
from scipy.spatial.distance import directed_hausdorff
from skimage.measure import label
from sklearn import metrics as sk
from torchmetrics.functional.classification import binary_calibration_error
from torchmetrics.segmentation import GeneralizedDiceScore
from torchmetrics.segmentation import MeanIoU as PublishedIoU

warnings.filterwarnings("ignore")
RNG = np.random.default_rng(20260729)
LARGEST = 40  # side of a mask


# --- masks -----------------------------------------------------------------------------------------------------------


def blobs(shape: tuple[int, int]) -> np.ndarray:
    """Smooth random objects, of any number and size."""
    field = ndimage.gaussian_filter(RNG.standard_normal(shape), RNG.uniform(0.5, 4))
    return field > np.quantile(field, RNG.uniform(0.3, 0.99))


def degenerate(shape: tuple[int, int], kind: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    if kind == 1:
        mask[:] = True
    elif kind == 2:
        mask[RNG.integers(shape[0]), RNG.integers(shape[1])] = True
    elif kind == 3:
        mask[RNG.integers(shape[0]), :] = True
    elif kind == 4:
        mask[:, RNG.integers(shape[1])] = True
    elif kind == 5:
        mask[0, 0] = mask[-1, -1] = True
    elif kind == 6:
        mask[::2, ::2] = True
    return mask


def make_masks(index: int) -> tuple[np.ndarray, np.ndarray]:
    shape = (int(RNG.integers(1, LARGEST)), int(RNG.integers(1, LARGEST)))
    if index % 4 == 0:  # every pair of degenerate masks
        return degenerate(shape, index // 4 % 7), degenerate(shape, index // 28 % 7)
    truth = blobs(shape)
    if index % 4 == 1:  # alike
        moved = np.roll(truth, tuple(RNG.integers(-2, 3, 2)), (0, 1))
        return moved ^ (RNG.random(shape) < 0.02), truth
    return blobs(shape), degenerate(shape, 0) if index % 40 == 2 else truth


# --- scores ----------------------------------------------------------------------------------------------------------


def as_monai(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(mask)[None, None].float()


def outline(mask: np.ndarray) -> np.ndarray:
    return mask ^ ndimage.binary_erosion(mask)


def distances(a: np.ndarray, b: np.ndarray, spacing: list[float]) -> np.ndarray:
    return ndimage.distance_transform_edt(~outline(b), sampling=spacing)[outline(a)]


def boundary(a: np.ndarray, b: np.ndarray, spacing: list[float], tolerance: float) -> dict:
    """monai, and scipy where monai's float32 would hide the last digits."""
    if not a.any() and not b.any():
        return {"nsd": 1.0, "boundary_iou": 1.0}
    bands = []
    for mask in (a, b):
        inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1]
        bands.append(mask & (inside <= tolerance))
    either = (bands[0] | bands[1]).sum()
    result = {} if either == 0 else {"boundary_iou": float((bands[0] & bands[1]).sum() / either)}
    if not a.any() or not b.any():
        return {"nsd": 0.0, "boundary_iou": 0.0}
    ab, ba = distances(a, b, spacing), distances(b, a, spacing)
    x, y = as_monai(a), as_monai(b)
    options = {"include_background": True, "spacing": spacing}
    peers = {
        "hausdorff": compute_hausdorff_distance(x, y, **options),
        "hd95": compute_hausdorff_distance(x, y, percentile=95, **options),
        "assd": compute_average_surface_distance(x, y, symmetric=True, **options),
        "nsd": compute_surface_dice(x, y, [tolerance], **options),
    }
    exact = {
        "hausdorff": max(ab.max(), ba.max()),
        "hd95": max(np.percentile(ab, 95), np.percentile(ba, 95)),
        "assd": np.concatenate([ab, ba]).mean(),
        "nsd": np.concatenate([ab <= tolerance, ba <= tolerance]).mean(),
    }
    for name, value in exact.items():
        peer = peers[name].item()
        if name == "nsd" and abs(np.concatenate([ab, ba]) - tolerance).min() < 1e-5:
            peer = value  # monai compares float32 distances, which may fall on the other side
        assert abs(peer - value) <= 2e-6 * max(1, abs(value)), (name, peer, value)
        result[name] = float(value)
    points = [np.argwhere(outline(m)) * np.array(spacing) for m in (a, b)]
    farthest = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert abs(farthest - result["hausdorff"]) < 1e-9
    assert abs(medpy.hd(a, b, voxelspacing=spacing) - result["hausdorff"]) < 1e-9
    assert abs(medpy.assd(a, b, voxelspacing=spacing) - result["assd"]) < 1e-9
    compare_definitions(a, b, spacing, tolerance, result)
    return result


OTHERS: dict[str, list[float]] = {}


def compare_definitions(a: np.ndarray, b: np.ndarray, spacing: list[float], tolerance: float, ours: dict) -> None:
    """Notes how far tools with other definitions are away: medpy pools the distances of both sides before it takes
    the percentile; surface-distance weighs pieces of a contour that runs between pixels by their lengths."""
    pieces = surface_distance.compute_surface_distances(b, a, spacing_mm=spacing)
    values = {
        ("hd95", "medpy"): medpy.hd95(a, b, voxelspacing=spacing),
        ("hausdorff", "surface-distance"): surface_distance.compute_robust_hausdorff(pieces, 100),
        ("hd95", "surface-distance"): surface_distance.compute_robust_hausdorff(pieces, 95),
        ("nsd", "surface-distance"): surface_distance.compute_surface_dice_at_tolerance(pieces, tolerance),
    }
    for (name, tool), value in values.items():
        OTHERS.setdefault(f"{name} of {tool}", []).append(abs(float(value) - ours[name]))


def objects(a: np.ndarray, b: np.ndarray, overlap: float) -> dict:
    def covered(mask: np.ndarray, other: np.ndarray) -> list[bool]:
        labels = label(mask, connectivity=2)
        inside = [other[labels == i] for i in range(1, labels.max() + 1)]
        return [bool(o.any() and o.sum() >= overlap * o.size) for o in inside]

    truth, predicted = covered(b, a), covered(a, b)
    return {"lesions_found": sum(truth), "lesions_missed": len(truth) - sum(truth),
            "false_objects": len(predicted) - sum(predicted)}


def overlap_scores(a: np.ndarray, b: np.ndarray) -> dict:
    x, y = a.ravel().astype(int), b.ravel().astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(y, x, labels=[0, 1]).ravel()
    empty = 1.0 if not (a.any() or b.any()) else 0.0
    result = {
        "dice": sk.f1_score(y, x, zero_division=empty),
        "iou": sk.jaccard_score(y, x, zero_division=empty),
        "precision": sk.precision_score(y, x, zero_division=empty),
        "recall": sk.recall_score(y, x, zero_division=empty),
        "specificity": sk.recall_score(y, x, pos_label=0, zero_division=1.0),
        "accuracy": sk.accuracy_score(y, x),
        "area_difference": float(a.sum()) - float(b.sum()),
    }
    if b.any():
        result["relative_area_difference"] = medpy.ravd(a, b) if a.any() else -1.0
    if a.any() or b.any():
        assert abs(result["dice"] - medpy.dc(a, b)) < 1e-12 and abs(result["iou"] - medpy.jc(a, b)) < 1e-12
    assert [tp, fp, fn, tn] == [(a & b).sum(), (a & ~b).sum(), (b & ~a).sum(), (~a & ~b).sum()]
    return {name: float(value) for name, value in result.items()}


def probabilities(p: np.ndarray, b: np.ndarray) -> dict:
    x, y = p.ravel(), b.ravel().astype(int)
    result = {"brier": sk.mean_squared_error(y, x.astype(np.float64))}
    if y.any() and not y.all():
        result["auroc"] = sk.roc_auc_score(y, x)
    if y.any():
        result["average_precision"] = sk.average_precision_score(y, x)
    doubles = torch.from_numpy(x.astype(np.float64))
    result["ece"] = binary_calibration_error(doubles, torch.from_numpy(y), n_bins=15).item()
    return {name: float(value) for name, value in result.items()}


def bits(mask: np.ndarray) -> list[str]:
    return ["".join("1" if v else "0" for v in row) for row in mask]


def make_case(index: int) -> dict:
    a, b = make_masks(index)
    spacing = [1.0, 1.0] if index % 2 else [round(float(v), 3) for v in RNG.uniform(0.3, 3, 2)]
    tolerance = round(float(RNG.uniform(0.5, 4)), 2) if index % 3 else 2.0
    overlap = [0.0, 0.0, 0.1, 0.5, 1.0][index % 5]
    noise = RNG.random(a.shape)
    # Multiples of 1/4096, of which many tie: exact in every format; none is 1, which torchmetrics gives a bin of its own.
    p = (np.floor(np.clip(0.6 * a + 0.4 * noise, 0, 0.9999) * 4096) / 4096).astype(np.float32)
    scores = overlap_scores(a, b) | boundary(a, b, spacing, tolerance) | objects(a, b, overlap) | probabilities(p, b)
    scores["area_difference"] *= spacing[0] * spacing[1]
    return {"prediction": bits(a), "truth": bits(b), "spacing": spacing, "tolerance": tolerance, "overlap": overlap,
            "probability_4096": "".join(f"{v:03x}" for v in (p * 4096).astype(int).ravel()), "scores": scores}


# --- conventions -----------------------------------------------------------------------------------------------------


def take(path: str, names: list[str], **known: object) -> dict:
    """The functions and classes of these names, out of a file that is not imported."""
    tree = ast.parse(Path(path).read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    for node in ast.walk(tree):  # annotations name what is not imported
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
    space: dict = {"np": np, "torch": torch, **known}
    exec(compile(tree, path, "exec"), space)
    return space


def nnunet_scores(path: str, pairs: list) -> list:
    class Reader:  # the masks stand for their files
        @staticmethod
        def read_seg(mask: np.ndarray) -> tuple:
            return mask.astype(int), {}

    compute = take(path, ["compute_tp_fp_fn_tn", "compute_metrics", "region_or_label_to_mask"])["compute_metrics"]
    rows = []
    for a, b in pairs:
        found = compute(b, a, Reader, [1])["metrics"][1]
        rows.append([None if np.isnan(found[name]) else found[name] for name in ("Dice", "IoU")])
    return rows


def sdseg_scores(path: str, pairs: list) -> list:
    space = take(path, ["dice_score", "iou_score"])
    return [[space["dice_score"](a.astype(float), b.astype(float)), space["iou_score"](a.astype(float), b.astype(float))]
            for a, b in pairs]


def medsegdiff_scores(path: str, pairs: list) -> list:
    class Plain:  # DiceCoeff is called without autograd
        def save_for_backward(self, *_: object) -> None: ...

    evaluate = take(path, ["iou", "DiceCoeff", "dice_coeff", "eval_seg"], Function=Plain)["eval_seg"]
    rows = []
    for a, b in pairs:
        iou, dice = evaluate(as_monai(a), as_monai(b))[:2]
        rows.append([dice, iou])
    return rows


def monai_scores(pairs: list) -> list:
    rows = []
    for a, b in pairs:
        pair = []
        for metric in (DiceMetric(include_background=True), MeanIoU(include_background=True)):
            value = metric(as_monai(a), as_monai(b)).item()
            pair.append(None if np.isnan(value) else value)
        rows.append(pair)
    return rows


def torchmetrics_means(pairs: list, batch: int) -> list:
    dice = GeneralizedDiceScore(num_classes=1, weight_type="linear")
    iou = PublishedIoU(num_classes=1, per_class=False)
    for first in range(0, len(pairs), batch):
        x, y = (torch.stack([torch.from_numpy(p[i])[None] for p in pairs[first:first + batch]]).int() for i in (0, 1))
        dice.update(x, y)
        iou.update(x, y)
    return [dice.compute().item(), iou.compute().item()]


def make_conventions(files: argparse.Namespace) -> dict:
    pairs = []
    for index in range(200):
        a, b = make_masks(index)
        pairs.append((a, b))
    square = [(np.pad(a, ((0, 40 - a.shape[0]), (0, 40 - a.shape[1]))),
               np.pad(b, ((0, 40 - b.shape[0]), (0, 40 - b.shape[1])))) for a, b in pairs]
    counts = [[int(v) for v in ((a & b).sum(), (a & ~b).sum(), (b & ~a).sum(), (~a & ~b).sum())] for a, b in square]
    result: dict = {"counts": counts, "scores": {"monai": monai_scores(square)},
                    "means": {"torchmetrics": torchmetrics_means(square, 64)}}
    for name, score in (("nnunet", nnunet_scores), ("sdseg", sdseg_scores), ("medsegdiff", medsegdiff_scores)):
        if getattr(files, name):
            result["scores"][name] = [[None if v is None else float(v) for v in row]
                                      for row in score(getattr(files, name), square)]
    return result


def make_wilcoxon() -> list:
    rows = []
    for n in (1, 2, 5, 8, 12, 13, 14, 20, 49, 50, 51, 120):
        for kind in range(3):
            d = RNG.normal(0.02, 0.1, n)
            if kind == 1:
                d = np.round(d, 1)  # ties and zeros
            elif kind == 2:
                d[: n // 3] = 0
            d = np.round(d, 9)
            if not d.any():
                continue
            test = stats.wilcoxon(d)
            rows.append({"differences": d.tolist(), "statistic": float(test.statistic), "p": float(test.pvalue)})
    p = RNG.random(12) ** 3
    order = np.argsort(p)
    adjusted = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    holm = np.empty(len(p))
    holm[order] = adjusted
    return [rows, {"p": p.tolist(), "holm": holm.tolist()}]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--largest", type=int, default=40, help="side of a mask")
    for name in ("nnunet", "sdseg", "medsegdiff"):
        parser.add_argument(f"--{name}")
    arguments = parser.parse_args()
    globals()["LARGEST"] = arguments.largest
    arguments.folder.mkdir(parents=True, exist_ok=True)
    cases = [make_case(i) for i in range(arguments.count)]
    (arguments.folder / "cases.json").write_text(json.dumps(cases, separators=(",", ":")))
    (arguments.folder / "conventions.json").write_text(json.dumps(make_conventions(arguments), separators=(",", ":")))
    (arguments.folder / "wilcoxon.json").write_text(json.dumps(make_wilcoxon(), separators=(",", ":")))
    for name, apart in OTHERS.items():
        share = np.mean(np.array(apart) > 1e-6)
        print(f"{name}: another value in {share:.0%} of {len(apart)} cases, on average {np.mean(apart):.3f} apart")


if __name__ == "__main__":
    main()
