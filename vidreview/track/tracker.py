"""Following objects frame by frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels.assign import assign
from vidreview.kernels.boxes import inside_matrix, iou_matrix
from vidreview.model import CLASS_OF_LABEL, LABELS, Boxes, Detections, Sighting, Track
from vidreview.track.judge import Verdicts
from vidreview.track.link import SHORT_GAP_S, at_edge, link
from vidreview.track.live import BLOB_ERROR, DETECTED_ERROR, VOTE_SCORE, Live

Float = NDArray[np.float64]
Clock = tuple[int, int, float]

#: patience with a track that nothing has seen, seconds: while moving, while standing, a vehicle that has stood a while
LOST_MOVING_S, LOST_STANDING_S, LOST_PARKED_S = 2.0, 12.0, 120.0
#: patience with a motion track
LOST_BLOB_S = 1.0
#: below this speed, in own sizes a second, something stands
STANDING = 0.25
#: points of what stands are kept this far apart, seconds
STANDING_STEP_S = 1.0
#: finished tracks wait this long for what may continue them, seconds
HOLD_S = 30.0
#: share of a box that must be in another for the two to be one thing
SAME_THING = 0.5
#: how far about a thing its shadow and the splinters of its blob lie, in its own sizes
BESIDE = 0.4
#: how far something settled may move between two looks, in own sizes: with others about, and alone
MOST_STEP, LONE_STEP = 0.5, 0.8
#: what was seen so long ago at most is about, seconds
ABOUT_S = 0.5
#: how many times longer the detector may wait where nothing else is about
UNDISTURBED = 2.0
#: closer looks come at this interval, seconds; after so many in vain they are seldom
CLOSER_S, CLOSER_LOOKS, CLOSER_LATE_S = 0.2, 16, 5.0
#: so many may be taken at once
CLOSER_BURST = 2
#: what does not get anywhere, or is about while something settled is, gets none before it has lasted so long, seconds
CLOSER_FROM_S = 0.5
#: a blob is at least this share of the thing it is, and no more times larger
LEAST_PART = 0.15


class Tracker:
    """Follows every object of one stream; ids belong to the instance."""

    def __init__(self, high_score: float, verdicts: Verdicts, size: tuple[int, int] | None = None) -> None:
        """``high_score`` starts a track; ``verdicts`` decides at its end what it was.

        ``size`` is the picture's width and height: what was last seen at its edge has left rather than stopped.
        """
        self.high_score = high_score
        self.verdicts = verdicts
        self.size = size
        self.live: list[Live] = []
        self._held: list[Live] = []
        self._beside: list[Live] = []
        self._next_key = 0
        #: breaks of the recording so far
        self._part = 0
        self._link_due_s = 0.0
        self._gated = False
        #: closer looks that may be taken now, and as of when
        self._closer_room, self._closer_s = float(CLOSER_BURST), 0.0
        self._seconds = 0.0
        self._interval_s = 0.0

    def update(self, clock: Clock, detections: Detections | None, blobs: Boxes | None, *, whole: bool = True) -> None:
        """Take in one frame: ``clock`` is its number, PTS and seconds.

        ``detections`` is None when the detector did not look at it, ``blobs`` (n, 4) xyxy is None without a gate.
        Without ``whole`` the detector looked only at the places that ``unnamed`` gave for this frame.
        """
        seconds = clock[2]
        self._seconds, self._interval_s = seconds, seconds - self._seconds
        if not self.live and detections is None and blobs is not None and not len(blobs):
            return  # most frames of most recordings
        for track in self.live:
            track.advance(seconds)
        updated: set[int] = set()
        if detections is not None:
            for track in self.live:
                if whole or track.second_look_s == seconds:
                    track.looks += 1
                    track.vain += 1
            updated = self._detected(clock, detections)
        if blobs is not None:
            self._gated = True
            self._moved(clock, np.ascontiguousarray(blobs, dtype=np.float64), updated)
        for track in self.live:
            standing = track.seen_s < seconds - STANDING_STEP_S and track.speed < STANDING
            step = STANDING_STEP_S if standing else 0.0
            if track.named and (not track.course.seconds or seconds >= track.course.seconds[-1] + step):
                track.course.add(clock, track.box, "interpolated")
            if seconds - track.moved_s > 0.5 and seconds - track.detected_s > 0.5 and blobs is not None:
                track.rest()
        self._end_lost(seconds)

    def cut(self) -> None:
        """The recording has a break: nothing that was there is known to be what comes after."""
        for track in self.live:
            self._end(track)
        self.live = []
        self._part += 1

    def unnamed(self, seconds: float, most: int) -> list[tuple[Boxes, int]]:
        """Boxes of up to ``most`` tracks that want a closer look, and how many they had; the least looked at first.

        A track wants one while its class is unsettled, ever more seldom the more looks were in vain. All together get
        one every ``CLOSER_S`` seconds, and half as many while something settled is about: where more moves at once it
        is mostly the light, and the shadows of what is known.
        """
        settled = any(self.verdicts.settled(t) for t in self.live)
        pace = CLOSER_S * (2 if settled else 1)
        self._closer_room = min(CLOSER_BURST, self._closer_room + (seconds - self._closer_s) / pace)
        self._closer_s = seconds
        most = min(most, int(self._closer_room + 1e-6))
        wanting = []
        for track in self._open_questions():
            # what does not get anywhere is mostly a shadow, a reflection, or a change of light that is soon over
            enough = CLOSER_LOOKS if track.travels else CLOSER_LOOKS // 8
            wait = CLOSER_S if track.second_looks < enough else CLOSER_LATE_S
            lasts = (track.travels and not settled) or seconds - track.course.seconds[0] >= CLOSER_FROM_S
            if track.solid and lasts and seconds - track.seen_s < ABOUT_S and seconds - track.second_look_s >= wait:
                wanting.append(track)
        wanting.sort(key=lambda t: (t.second_looks, t.key))
        self._closer_room -= len(wanting[:most])
        for track in wanting[:most]:
            track.second_looks += 1
            track.second_look_s = seconds
        return [(t.box.astype(np.float32), t.second_looks - 1) for t in wanting[:most]]

    def only(self, seconds: float) -> list[tuple[Boxes, int]]:
        """The box of the one thing that is about, when its class is settled, in the form of ``unnamed``; else nothing.

        It counts as looked at.
        """
        about = self._about(seconds)
        if len(about) != 1 or not self.verdicts.settled(about[0]):
            return []
        about[0].second_look_s = seconds
        return [(about[0].box.astype(np.float32), 0)]

    def next_look_s(self, least: float, most: float) -> float:
        """Seconds, from ``least`` to ``most``, that the detector may wait after its last look while things move.

        Where nothing is about but what is settled, it may wait ``UNDISTURBED`` times as long as ``most``.
        What is new or unsettled is looked at soonest, and less often the more looks were in vain; what is settled,
        before it has moved by so much of its own size that another could be taken for it. What was looked at and has no
        name is left to the closer looks of ``unnamed``.
        """
        slow = self._interval_s >= least
        if not self.live and not slow:
            return float("inf")  # a flash on one frame is no thing yet
        settled = [t for t in self.live if self.verdicts.settled(t)]
        questions = self._open_questions()
        # what moves beside something settled may be another thing that only a whole look tells from its shadow
        wait = most if len(self._about(self._seconds)) > len(settled) or not settled else UNDISTURBED * most
        for track, alone in zip(settled, self._alone(settled), strict=True):
            wait = min(wait, (LONE_STEP if alone else MOST_STEP) / max(1e-3, track.speed))
        for track in questions:
            if track.named:
                wait = min(wait, least * (1 + track.vain / 3))
            elif not track.looks and (track.solid or slow):
                wait = least
        return max(least, wait)

    def _about(self, seconds: float) -> list[Live]:
        """What is solid and was seen a moment ago."""
        return [t for t in self.live if t.solid and seconds - t.seen_s < ABOUT_S]

    def _alone(self, tracks: list[Live]) -> NDArray[np.bool_]:
        """Which of ``tracks`` nothing else that is followed could be taken for: all else is further than its size."""
        if not tracks:
            return np.zeros(0, np.bool_)
        near = iou_matrix(_grown(_boxes(tracks), 1.0), _boxes([t for t in self.live if t.named])) > 0
        alone: NDArray[np.bool_] = near.sum(axis=1) <= 1
        return alone

    def _open_questions(self) -> list[Live]:
        """Tracks whose class is unsettled, without the splinters and shadows of those whose class is known."""
        settled = [t for t in self.live if self.verdicts.settled(t)]
        open_ones = [t for t in self.live if not self.verdicts.settled(t)]
        if not settled or not open_ones:
            return open_ones
        share = inside_matrix(_boxes(open_ones), _grown(_boxes(settled), BESIDE)).max(axis=1)
        return [t for t, inside in zip(open_ones, share, strict=True) if t.named or inside < SAME_THING]

    def missing(self, seconds: float, looked_s: float) -> bool:
        """True when a named track is about to be given up and the detector, last at ``looked_s``, did not look for it.

        What has stopped no longer moves the gate: one look tells whether it stands there or has gone. What was last
        seen at the picture's edge has gone.
        """
        for track in self.live:
            half = 0.5 * self._patience(track)
            if (
                track.named
                and not at_edge(track.box, self.size)
                and seconds - track.seen_s > half
                and looked_s < track.seen_s + half
            ):
                return True
        return False

    def sightings(self, number: int) -> list[Sighting]:
        """What was seen on the frame of this number, the last: by the detector, or moving without a name so far."""
        found = []
        for track in self.live:
            course = track.course
            if not course.frames or course.frames[-1] != number or not track.solid:
                continue
            if course.sources[-1] == ("detected" if track.named else "motion"):
                found.append(Sighting(track.key, course.boxes[-1], course.scores[-1]))
        return found

    def drain(self, seconds: float) -> list[Track]:
        """The tracks that are over for good by ``seconds``, in order of their beginning."""
        if seconds < self._link_due_s:
            return []
        self._link_due_s = seconds + 5.0
        return self._release(seconds, everything=False)

    def finish(self) -> list[Track]:
        """The stream is over: all tracks that are left, in order of their beginning."""
        self.cut()
        return self._release(float("inf"), everything=True)

    # -- detections ---------------------------------------------------------------------------------------------

    def _detected(self, clock: Clock, detections: Detections) -> set[int]:
        """Give detections to tracks; returns the keys of those that got one."""
        boxes = np.ascontiguousarray(detections.boxes, dtype=np.float64)
        names = [LABELS[int(k)] for k in detections.labels]
        scores = [float(s) for s in detections.scores]
        free = list(range(len(scores)))
        updated: set[int] = set()

        def give(tracks: list[Live], which: list[int], cost: Float, limit: float) -> None:
            if not tracks or not which:
                return
            for row, column in enumerate(assign(np.ascontiguousarray(cost), limit)):
                if column >= 0:
                    self._take(tracks[row], clock, boxes[which[column]], scores[which[column]], names[which[column]])
                    updated.add(tracks[row].key)
                    free.remove(which[column])

        for sure in (True, False):
            known = [t for t in self.live if t.named and t.key not in updated]
            which = [k for k in free if (scores[k] >= self.high_score) == sure]
            give(known, which, self._distance(known, which, boxes, names), 0.75 if sure else 0.65)
        # what is left and sure may have moved far since the last look
        known = [t for t in self.live if t.named and t.key not in updated]
        which = [k for k in free if scores[k] >= self.high_score]
        give(known, which, self._distance(known, which, boxes, names, reach=0.5), 0.85)
        # a blob that was followed without a name gets one
        for least in (self.high_score, 0.0):
            unknown = [t for t in self.live if not t.named and t.key not in updated]
            which = [k for k in free if scores[k] >= least]
            give(unknown, which, self._mismatch(unknown, which, boxes), 1 - SAME_THING)
        self._begin_detected(clock, boxes, scores, names, free, updated)
        return updated

    def _begin_detected(
        self, clock: Clock, boxes: Float, scores: list[float], names: list[str], free: list[int], updated: set[int]
    ) -> None:
        """Sure detections that nothing claims begin tracks, unless they name again what was just named."""
        for k in free:
            if scores[k] < self.high_score:
                continue
            again = [t for t in self.live if t.key in updated]
            overlap = iou_matrix(boxes[k : k + 1], _boxes(again))[0]
            if len(again) and overlap.max() >= 0.7:
                again[int(overlap.argmax())].vote(names[k], scores[k])
                continue
            track = Live.begin(self._key(), clock, boxes[k], DETECTED_ERROR)
            track.looks = 1
            self._take(track, clock, boxes[k], scores[k], names[k])
            self.live.append(track)
            updated.add(track.key)

    def _take(self, track: Live, clock: Clock, box: Float, score: float, label: str) -> None:
        track.vote(label, score)
        if not track.named and score < VOTE_SCORE:
            return  # too weak to say where the thing is; the blob knows better
        if track.ballots == 1 and score >= VOTE_SCORE and track.course.sources[-1:] == ["motion"]:
            # a blob's box and a detection's are not one measure: begin the filter anew, keep the velocity
            velocity = track.mean[:, 1].copy()
            anew = Live.begin(track.key, clock, box, DETECTED_ERROR)
            track.mean, track.cov = anew.mean, anew.cov
            track.mean[:2, 1] = velocity[:2]
        else:
            track.measure(box, DETECTED_ERROR * (1.0 if score >= self.high_score else 2.0))
        track.course.add(clock, box, "detected", score, label)
        track.saw(clock[2])
        track.detected_s = clock[2]

    def _distance(
        self, tracks: list[Live], which: list[int], boxes: Float, names: list[str], reach: float = 0.0
    ) -> Float:
        """1 − IoU, both boxes grown by ``reach`` of their size, and more where the classes differ."""
        a, b = _grown(_boxes(tracks), reach), _grown(boxes[which], reach)
        cost = 1.0 - iou_matrix(a, b)
        for row, track in enumerate(tracks):
            if track.ballots >= 2:
                for column, k in enumerate(which):
                    if CLASS_OF_LABEL[names[k]] != track.event_class:
                        cost[row, column] += 0.3
        return cost

    def _mismatch(self, tracks: list[Live], which: list[int], boxes: Float) -> Float:
        """How little of the smaller of blob and detection lies in the other; 0 is all of it."""
        a, b = _boxes(tracks), np.ascontiguousarray(boxes[which])
        together = np.maximum(inside_matrix(a, b), 0.9 * inside_matrix(b, a).T)
        # of several blobs in one detection the one that fills it most is the object; a speck in it is not
        ratio = _areas(a)[:, None] / np.maximum(1.0, _areas(b))[None]
        cost: Float = 1.0 - together + 0.2 * (1.0 - iou_matrix(a, b))
        cost[(ratio < LEAST_PART) | (ratio > 1 / LEAST_PART)] = np.inf
        return cost

    # -- blobs --------------------------------------------------------------------------------------------------

    def _moved(self, clock: Clock, blobs: Float, updated: set[int]) -> None:
        """Let blobs keep named tracks alive, carry unnamed ones, and begin new ones."""
        named = [t for t in self.live if t.named]
        unnamed = [t for t in self.live if not t.named]
        if not len(blobs):
            return
        free = np.ones(len(blobs), bool)
        if named:
            free = self._support(clock, named, blobs, updated)
        left = np.ascontiguousarray(blobs[free])
        if unnamed and len(left):
            a, b = _grown(_boxes(unnamed), 0.4, 6.0), _grown(left, 0.4, 6.0)
            cost = 1.0 - iou_matrix(a, b)
            for row, column in enumerate(assign(np.ascontiguousarray(cost), 0.93)):
                if column >= 0:
                    track = unnamed[row]
                    track.measure(left[column], BLOB_ERROR)
                    track.course.add(clock, left[column], "motion")
                    track.saw(clock[2])
                    track.moved_s = clock[2]
                    track.stirred += 1
                    left[column] = np.nan
        for box in left:
            if not np.isnan(box[0]) and not self._inside_live(box, unnamed):
                track = Live.begin(self._key(), clock, box, BLOB_ERROR)
                track.course.add(clock, box, "motion")
                track.moved_s = clock[2]
                track.stirred = 1
                self.live.append(track)

    def _support(self, clock: Clock, named: list[Live], blobs: Float, updated: set[int]) -> NDArray[np.bool_]:
        """Blobs in the boxes of named tracks are theirs; returns which blobs are left over."""
        boxes = _boxes(named)
        covered = inside_matrix(boxes, blobs)
        within = inside_matrix(blobs, _grown(boxes, 0.15)).T
        overlap = iou_matrix(boxes, blobs)
        for row, track in enumerate(named):
            if covered[row].max() < 0.15 and within[row].max() < SAME_THING:
                continue
            track.stirred += 1
            if track.key in updated:
                track.moved_s = clock[2]
                continue
            best = int(overlap[row].argmax())
            alone = (covered[:, best] > 0.3).sum() == 1
            # what comes in at the picture's edge outgrows its last box
            entering = covered[row, best] >= 0.7 and at_edge(boxes[row], self.size) and at_edge(blobs[best], self.size)
            own = alone and (overlap[row, best] >= 0.35 or entering)
            if own and clock[2] - track.detected_s < 3 * LOST_MOVING_S:
                # its own blob, and about its size: where the detector is silent, the blob leads
                track.measure(blobs[best], BLOB_ERROR)
                track.saw(clock[2])
                track.moved_s = clock[2]
                track.course.add(clock, track.box, "motion")
            elif clock[2] - track.detected_s < LOST_MOVING_S:
                track.moved_s = clock[2]
                track.seen_s = clock[2]
        left: NDArray[np.bool_] = (within.max(axis=0) < SAME_THING) & (covered.max(axis=0) < 0.6)
        return left

    def _inside_live(self, box: Float, unnamed: list[Live]) -> bool:
        """True for a splinter of a blob that is followed already."""
        if not unnamed:
            return False
        share = inside_matrix(np.ascontiguousarray(box[None]), _grown(_boxes(unnamed), 0.2))
        return bool(share.max() >= 0.7)

    # -- ends ---------------------------------------------------------------------------------------------------

    def _end_lost(self, seconds: float) -> None:
        lost = [t for t in self.live if seconds - t.seen_s > self._patience(t)]
        for track in lost:
            self._end(track)
        if lost:
            gone = {t.key for t in lost}
            self.live = [t for t in self.live if t.key not in gone]

    def _patience(self, track: Live) -> float:
        if not track.named:
            return LOST_BLOB_S
        # without a gate there is no witness that what is not detected still stands there
        if not self._gated or track.seen_speed >= STANDING or at_edge(track.box, self.size):
            return LOST_MOVING_S
        first = track.course.seconds[0] if track.course.seconds else track.seen_s
        if track.event_class == "vehicle" and track.seen_s - first > LOST_STANDING_S:
            return LOST_PARKED_S
        return LOST_STANDING_S if track.ballots >= 3 else LOST_MOVING_S

    def _end(self, track: Live) -> None:
        track.part = self._part
        track.course.trim()
        if track.course.frames:
            self._held.append(track)

    def _release(self, seconds: float, *, everything: bool) -> list[Track]:
        for track in self.live:
            track.part = self._part
        self._held = link(self._held, self.live, seconds, self.size)
        if everything:
            ready, self._held = self._held, []
        else:
            ready = [t for t in self._held if t.course.seconds[-1] < seconds - HOLD_S - SHORT_GAP_S]
            gone = {t.key for t in ready}
            self._held = [t for t in self._held if t.key not in gone]
        ready.sort(key=lambda t: (t.course.seconds[0], t.key))
        for track in ready:
            track.course.interpolate()
        others = self._beside + ready + self._held + self.live
        tracks = [self.verdicts.judge(track, others) for track in ready]
        self._beside += [t for t in ready if t.named]
        oldest = min((t.course.seconds[0] for t in self._held + self.live if t.course.seconds), default=float("inf"))
        self._beside = [t for t in self._beside if t.course.seconds[-1] >= oldest]
        return tracks

    def _key(self) -> int:
        self._next_key += 1
        return self._next_key


def _boxes(tracks: Iterable[Live]) -> Float:
    found = [t.box for t in tracks]
    return np.ascontiguousarray(np.stack(found)) if found else np.zeros((0, 4))


def _areas(boxes: Float) -> Float:
    sides: Float = boxes[:, 2:] - boxes[:, :2]
    return np.ascontiguousarray(sides[:, 0] * sides[:, 1])


def _grown(boxes: Float, share: float, least: float = 0.0) -> Float:
    """Boxes wider and higher by ``share`` of their size on each side, at least ``least`` pixels."""
    size = boxes[:, 2:] - boxes[:, :2]
    margin = np.maximum(share * size, least)
    return np.ascontiguousarray(np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1))
