"""The gate's false share of time under what disturbs a camera, on made scenes."""

from __future__ import annotations

import importlib
from typing import Any

from bench.footage import Setting
from bench.measure import tell
from bench.report import Claim, Part, Table, number

#: makes the scenes and runs the gate over them
MODULE = "tests.disturbances"


def measure(_setting: Setting) -> Part:
    """Every scene of ``tests.disturbances.report()``: dicts of scene, false_share and recall, None without a person."""
    tell("robust: made scenes")
    title, about = (
        "Robustness of the gate",
        "Made scenes, each with one disturbance: the share of the time in which the gate lets frames pass though "
        "nothing moves that a person would want to see, and the share of what moves that it lets pass.",
    )
    try:
        scenes: Any = importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise
        return Part(title, about, 0, notes=("This version has no generator of disturbances: nothing was measured.",))
    found = [dict(one) for one in scenes.report()]
    rows = tuple((str(one["scene"]), f"{100 * one['false_share']:.1f} %", _share(one.get("recall"))) for one in found)
    claims = tuple(
        Claim(f"recall of the gate, {one['scene']}", 100 * one["recall"], 100.0, "higher", " %")
        for one in found
        if one.get("recall") is not None
    )
    return Part(
        title,
        about,
        1,
        tables=(Table(("scene", "false share of time", "recall"), rows),),
        claims=claims,
        notes=("The same scene gives the same result, so one run is enough.",),
        figures={"scenes": found},
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{number(100 * value)} %"
