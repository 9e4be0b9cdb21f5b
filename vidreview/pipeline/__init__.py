"""The street from end to end: the only package that names every stage.

evidence → media → motion → detect → track → events → index
"""

from vidreview.pipeline.scan import Observer, ScanSummary, Silent, scan

__all__ = ["Observer", "ScanSummary", "Silent", "scan"]
