"""The case: SQLite schema and migrations, writing what a scan finds, querying it."""

from vidreview.index.case import Case, Finished, Identity, Listed
from vidreview.index.filters import EventQuery, TrackQuery
from vidreview.index.guard import beside, refuse_overlap
from vidreview.index.query import Reader
from vidreview.index.rows import DetectionRow

__all__ = [
    "Case",
    "DetectionRow",
    "EventQuery",
    "Finished",
    "Identity",
    "Listed",
    "Reader",
    "TrackQuery",
    "beside",
    "refuse_overlap",
]
