"""What a look is worth, on people whose identity is known: PETS 2009 S2.L1 with the truth of MOT15.

``python -m tests.test_looks_footage`` prints the figures of docs/looks.md.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import av
import numpy as np

from tests.conftest import SHARED
from vidreview.colours import to_bgr
from vidreview.index.similar import GROUPS, Looks, distances
from vidreview.kernels.boxes import iou_matrix
from vidreview.looks.describe import describe, typical
from vidreview.looks.light import PictureLight

Box = tuple[float, float, float, float]


def boxes_of(path: Path) -> dict[int, list[tuple[int, Box]]]:
    """Frame number → identity and box of a MOT file."""
    found: dict[int, list[tuple[int, Box]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        frame, identity, left, top, width, height = (float(v) for v in line.split(",")[:6])
        found[int(frame)].append((int(identity), (left, top, left + width, top + height)))
    return found


def pieces(shared: Path, light: PictureLight) -> tuple[list[int], Looks]:
    """Identities and looks of pieces of courses: three seconds of every six, seen every 0.4 s where it was detected.

    Boxes are the public detections, which are as loose as a detector's are; the truth only says whose they are.
    """
    truth = boxes_of(shared / "mot" / "PETS09-S2L1" / "gt.txt")
    detections = boxes_of(shared / "mot" / "PETS09-S2L1" / "det.txt")
    seen = defaultdict(list)
    with av.open(str(shared / "footage" / "clips" / "pets09_s2l1.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            known, found = truth.get(number, []), detections.get(number, [])
            if number % 4 != 1 or number % 60 >= 30 or not known or not found:
                continue
            picture = to_bgr(frame)
            overlap = iou_matrix(np.array([b for _, b in known]), np.array([b for _, b in found]))
            for k, (identity, _) in enumerate(known):
                if overlap[k].max() >= 0.5:
                    one = describe(picture, found[int(overlap[k].argmax())][1], 0, light)
                    assert one is not None
                    seen[identity, number // 60].append(one.descriptor)
    kept = [(identity, typical(looks)) for (identity, _), looks in sorted(seen.items()) if len(looks) >= 2]
    descriptors = np.stack([look for _, look in kept])
    count = len(kept)
    return [identity for identity, _ in kept], Looks(np.arange(count), descriptors, np.full(count, light.colours))


def worth(identities: list[int], looks: Looks) -> tuple[float, float, float]:
    """Rank-1, mean average precision, and what chance gives, over all pieces that have another of the same person."""
    first, precision, chance = [], [], []
    for query, identity in enumerate(identities):
        others = np.array([k for k in range(len(identities)) if k != query])
        same = np.array([identities[k] == identity for k in others])
        if same.any():
            ranked = same[np.argsort(distances(query, looks)[others], kind="stable")]
            hits = np.flatnonzero(ranked)
            first.append(bool(ranked[0]))
            precision.append(float(((np.arange(len(hits)) + 1) / (hits + 1)).mean()))
            chance.append(float(same.mean()))
    return float(np.mean(first)), float(np.mean(precision)), float(np.mean(chance))


def test_the_same_person_is_ranked_far_above_chance(shared: Path) -> None:
    """Nineteen people, most in dark clothes, 30 to 90 pixels tall; measured: docs/looks.md."""
    identities, looks = pieces(shared, PictureLight(True, (0.0, 0.0)))
    assert len(identities) > 60 and len(set(identities)) == 19
    first, precision, chance = worth(identities, looks)
    assert chance < 0.08
    assert first > 0.45 and precision > 0.45
    by_lightness = worth(identities, looks._replace(coloured=np.zeros(len(identities), np.bool_)))
    assert chance < by_lightness[1] < precision, "colours tell more than lightness alone, which tells more than chance"


def test_all_of_a_descriptor_is_compared() -> None:
    assert [g.first for g in GROUPS] == [11, 77, 125]
    assert sum(g.histograms * g.length for g in GROUPS) == 225 - 11


if __name__ == "__main__":
    found = pieces(SHARED, PictureLight(True, (0.0, 0.0)))
    grey = found[1]._replace(coloured=np.zeros(len(found[0]), np.bool_))
    sys.stdout.write(f"{len(found[0])} pieces of {len(set(found[0]))} people\n")
    for words, case in (("colours", found[1]), ("lightness", grey)):
        first, precision, chance = worth(found[0], case)
        sys.stdout.write(f"{words}: rank-1 {first:.2f}, mAP {precision:.3f}, chance {chance:.3f}\n")
