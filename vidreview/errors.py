"""One tree of errors; each kind knows the exit status that the command line gives it."""

from __future__ import annotations


class VidreviewError(Exception):
    """Something went wrong that a person can act on.

    The message names the file, the media time where there is one, what happened and what to try next.
    """

    exit_status = 1


class UsageError(VidreviewError):
    """An argument or a setting makes no sense as given."""

    exit_status = 2


class EvidenceError(VidreviewError):
    """An exhibit could not be opened or read as a file."""

    exit_status = 3


class MediaError(VidreviewError):
    """An exhibit was read, but holds no video that can be decoded."""

    exit_status = 3


class IntegrityError(VidreviewError):
    """An exhibit, a derived file or the audit chain is not what was recorded."""

    exit_status = 4


class ModelError(VidreviewError):
    """The detector's weights are missing, not what was pinned, or cannot be run."""


class CaseError(VidreviewError):
    """The case folder cannot be read or written."""


class CaseRefusedError(CaseError):
    """The case folder lies inside the evidence, or the evidence inside it."""

    exit_status = 2
