"""The case: SQLite schema and migrations, writing what a scan finds, querying it."""

from vidreview.index.case import Case, DetectionRow
from vidreview.index.filters import EventQuery, TrackQuery
from vidreview.index.guard import beside, refuse_overlap
from vidreview.index.query import Reader

__all__ = ["Case", "DetectionRow", "EventQuery", "Reader", "TrackQuery", "beside", "refuse_overlap"]
