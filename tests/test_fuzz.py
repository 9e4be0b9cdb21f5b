"""Mutated recordings cost neither a traceback nor a hang, and no loss goes unlisted (rules A10, C3, E2).

``python -m tests.fuzz`` tries as many more as there is time for.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz import LIMIT_S, Outcome, attempt, findings, scanned
from tests.mutations import KINDS, SAMPLES, make_samples, mutate

pytestmark = [pytest.mark.footage, pytest.mark.timeout(20 * LIMIT_S)]

CASES = 200
BATCHES = 8


@pytest.fixture(scope="module")
def samples(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_samples(footage / "clips", tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def sound(samples: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder = tmp_path_factory.mktemp("sound")
    return {name: scanned(path, folder / name) for name, path in samples.items()}


def test_sound_samples_are_covered_whole_and_nothing_is_said_against_them(sound: dict[str, Outcome]) -> None:
    """Rule E2: and no false alarm."""
    assert set(sound) == set(SAMPLES)
    for name, outcome in sound.items():
        (stream,) = outcome.ledger
        assert outcome.frames == 20, name
        assert stream["ticks"]["analysed"] == stream["ticks"]["duration"] > 0, name
        assert outcome.kinds() == ({"no-timestamps"} if name.startswith("bare") else set()), name
        assert outcome.summary.problems == [], name


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_recordings_are_covered_or_listed(
    batch: int, samples: dict[str, Path], sound: dict[str, Outcome], tmp_path: Path
) -> None:
    """Rules A10, C3, E2: 200 seeded mutations of 17 kinds of recording."""
    names = sorted(samples)
    wrong = []
    for seed in range(batch, CASES, BATCHES):
        name = names[seed % len(names)]
        mutation, _, found = attempt(samples[name], sound[name], str(seed), tmp_path)
        wrong += [f"seed {seed}: {name}, {mutation.kind}: {text}" for text in found]
    assert wrong == []


def test_mutations_are_the_same_everywhere_and_of_every_kind(samples: dict[str, Path]) -> None:
    data = random.Random(1).randbytes(5000)
    made = [mutate(data, str(seed)) for seed in range(CASES)]
    assert {one.kind for one in made} == set(KINDS)
    assert [mutate(data, str(seed)) for seed in range(CASES)] == made
    assert sum(one.data != data for one in made) > 0.9 * CASES


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264.flv"])
def test_the_oracle_sees_a_loss_that_is_not_listed(
    name: str, samples: dict[str, Path], sound: dict[str, Outcome], tmp_path: Path
) -> None:
    """What finds nothing must be able to: a shorter but sound recording in place of the sample is a finding."""
    import av

    shorter = tmp_path / name
    with av.open(str(samples[name])) as whole, av.open(str(shorter), "w") as part:
        copy = part.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(video=0)):
            if packet.size and number < 10:
                packet.stream = copy
                part.mux(packet)
    found = findings(scanned(shorter, tmp_path / "case"), sound[name], name, "noise")
    assert len(found) == 1
    assert found[0].startswith("unlisted loss: 20 frames")
