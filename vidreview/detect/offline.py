"""Keeps the runtimes from reporting home (rule A8): by themselves, several of them do.

ONNX Runtime from 1.29 on keeps a device id and a store of events in ~/.cache, for its makers; ultralytics
sends every prediction to an analytics service, looks for missing packages on the network and writes to ~/.config.
"""

from __future__ import annotations

import os
from typing import Any

#: read by the runtimes once, when they are first imported
OFFLINE = {
    "ORT_DISABLE_TELEMETRY": "1",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
}


def import_onnxruntime() -> Any:
    """The module onnxruntime, imported with its reporting off; every use of it in vidreview comes through here."""
    os.environ.update(OFFLINE)
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where the platform, not the variable, decides
    return onnxruntime
