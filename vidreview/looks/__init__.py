"""What objects look like: named colours, a descriptor to search by, and small pictures, taken while a scan goes by."""

from vidreview.looks.album import Albums

__all__ = ["Albums"]
