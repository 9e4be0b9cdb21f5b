"""Check a case against what was recorded: audit log, exhibits, derived files, index. Writes nothing into the case."""

from vidreview.verify.check import verify
from vidreview.verify.verdict import Finding, Observer, Verdict

__all__ = ["Finding", "Observer", "Verdict", "verify"]
