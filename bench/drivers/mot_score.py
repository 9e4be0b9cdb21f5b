"""Score tracks with TrackEval: ``mot_score.py TRUTH TRACKS`` prints tracker → HOTA, MOTA, IDF1, IDSW as JSON.

TRUTH is laid out as TrackEval wants it for MOT15 (MOT15-train/SEQUENCE/gt/gt.txt, seqinfo.ini), TRACKS as
MOT15-train/TRACKER/data/SEQUENCE.txt. Class pedestrian, with preprocessing, all sequences together.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """See the module."""
    import trackeval

    truth, tracks = Path(sys.argv[1]), Path(sys.argv[2])
    names = sorted(folder.name for folder in (tracks / "MOT15-train").iterdir())
    sequences = sorted(folder.name for folder in (truth / "MOT15-train").iterdir())
    evaluator = trackeval.Evaluator.get_default_eval_config()
    evaluator.update(
        PRINT_RESULTS=False,
        PRINT_CONFIG=False,
        TIME_PROGRESS=False,
        OUTPUT_SUMMARY=False,
        OUTPUT_DETAILED=False,
        OUTPUT_EMPTY_CLASSES=False,
        PLOT_CURVES=False,
        BREAK_ON_ERROR=True,
        LOG_ON_ERROR=None,
    )
    data = trackeval.datasets.MotChallenge2DBox.get_default_dataset_config()
    data.update(
        GT_FOLDER=str(truth),
        TRACKERS_FOLDER=str(tracks),
        BENCHMARK="MOT15",
        SPLIT_TO_EVAL="train",
        SEQ_INFO=dict.fromkeys(sequences),
        TRACKERS_TO_EVAL=names,
        CLASSES_TO_EVAL=["pedestrian"],
        DO_PREPROC=True,
        PRINT_CONFIG=False,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = trackeval.datasets.MotChallenge2DBox(data)
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(), trackeval.metrics.Identity()]
        results, _ = trackeval.Evaluator(evaluator).evaluate([dataset], metrics)
    print(json.dumps({name: figures(results["MotChallenge2DBox"][name]) for name in names}))


def figures(result: Any) -> dict[str, float]:
    """Per cent, and a count of identity switches."""
    found = result["COMBINED_SEQ"]["pedestrian"]
    return {
        "HOTA": 100 * float(found["HOTA"]["HOTA"].mean()),
        "MOTA": 100 * float(found["CLEAR"]["MOTA"]),
        "IDF1": 100 * float(found["Identity"]["IDF1"]),
        "IDSW": int(found["CLEAR"]["IDSW"]),
    }


if __name__ == "__main__":
    main()
