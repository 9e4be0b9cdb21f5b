"""Reading what objects look like: crops, named colours, tracks of a similar look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vidreview.index import looks
from vidreview.index.filters import EventQuery, ItemQuery, TrackQuery
from vidreview.index.looks import StoredCrop

_STREAM_OF = "JOIN streams stream ON stream.id = item.stream JOIN exhibits exhibit ON exhibit.id = stream.exhibit"


class LooksReader:
    """The part of ``Reader`` that is about looks."""

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _where(self, table: str, query: ItemQuery, tracks: Sequence[int] | None = None) -> tuple[str, list[Any]]:
        raise NotImplementedError

    def looks(self, number: int) -> list[StoredCrop]:
        """Small pictures of the object of the track of this number, the best first; empty where none are stored."""
        rows = self._select("SELECT id FROM tracks WHERE number = ?", [number])
        return looks.crops(self._select, rows[0][0]) if rows else []

    def best_look(self, number: int) -> StoredCrop | None:
        """The best small picture of the tracks of the event of this number; None where none is stored."""
        rows = self._select("SELECT id FROM events WHERE number = ?", [number])
        return looks.best_crop(self._select, rows[0][0]) if rows else None

    def colours(self, number: int) -> dict[str, list[str]]:
        """Part → names of the colours that the track of this number shows, the most first."""
        return looks.colours(self._select, number)

    def looked_at(self, query: ItemQuery) -> dict[str, int]:
        """Of what a query would list but for its colours: how many have no look, one without colours, or a cast."""
        of_events = isinstance(query, EventQuery)
        table = "all_events" if of_events else "numbered_tracks"
        where, values = self._where(table, replace(query, colours=()))
        source = f"{table} item {_STREAM_OF}"
        return looks.looked_at(self._select, of_events, source, where, values)

    def similar(self, name: str, query: TrackQuery) -> dict[str, Any]:
        """Tracks ranked by look, in the form of ``vidreview similar --json``; see ``index.similar``."""
        from vidreview.index.similar import ranked  # numpy is heavy, and no other query needs it

        where, values = self._where("numbered_tracks", query)
        return ranked(self._select, name, f"FROM numbered_tracks item {_STREAM_OF}", where, values, query.limit)
