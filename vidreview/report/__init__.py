"""Index → a report for people: one folder that opens without a network, and the same facts as a PDF."""

from vidreview.report.build import Built, Observer, Options, build
from vidreview.report.facts import Wanted
from vidreview.report.method import load_validation

__all__ = ["Built", "Observer", "Options", "Wanted", "build", "load_validation"]
