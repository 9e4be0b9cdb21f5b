"""The case: SQLite schema and migrations, writing what a scan finds, querying it."""

from vidreview.index.case import Case, DetectionRow
from vidreview.index.guard import refuse_overlap

__all__ = ["Case", "DetectionRow", "refuse_overlap"]
