"""The street from end to end: the only package that names every stage.

evidence → media → motion → detect → track → events → index
"""

from vidreview.pipeline.observer import Observer, ScanSummary, Silent
from vidreview.pipeline.scan import scan

__all__ = ["Observer", "ScanSummary", "Silent", "scan"]
