"""The one place where numba's flags stand.

Every kernel has an explicit signature (compiled once, then cached on disk), releases the GIL, and is compiled
without fastmath: the same input gives the same bits on every run, which a record that must be repeatable needs.
A division by zero gives infinity or NaN, as IEEE 754 and numpy have it: a check before each division, which Python's
rule asks for, would keep loops from being vectorised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


#: what all kernels are made of; one that calls another holds it compiled, so a change of any makes all anew
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


class BesideSource(caching.InTreeCacheLocator):
    """Compiled kernels in __pycache__, good as long as no kernel's source has changed."""

    def get_source_stamp(self) -> str:
        """What must be the same for a compiled kernel to be used."""
        return SOURCES


class OfUser(caching.UserWideCacheLocator):
    """The same in the user's cache folder, for an installation that may not be written to."""

    def get_source_stamp(self) -> str:
        """What must be the same for a compiled kernel to be used."""
        return SOURCES


numba.config.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{one.__name__}" for one in (BesideSource, OfUser))  # type: ignore[attr-defined]

#: a plane of bytes that is only read: the decoder's own memory
PLANE = numba.types.Array(numba.types.uint8, 1, "C", readonly=True)
#: the same memory, eight bytes at a time
WORDS = numba.types.Array(numba.types.uint64, 1, "C", readonly=True)


def kernel(signature: Any) -> Callable[[Kernel], Kernel]:
    """Compile a function of arrays and scalars for ``signature``; NUMBA_DISABLE_JIT=1 leaves it plain Python."""
    compiled = numba.njit(signature, nogil=True, cache=True, fastmath=False, error_model="numpy")
    return cast("Callable[[Kernel], Kernel]", compiled)
