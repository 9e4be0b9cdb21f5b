"""`vidreview export`: every format, from a real scan of files with hostile names, read back by other programs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, Result
from tests.films import RedDetector, film
from tests.test_index import RECORD, fill, stream_info
from vidreview.audit import AuditLog
from vidreview.errors import CaseError, CaseRefusedError, UsageError
from vidreview.export.files import Outputs
from vidreview.export.mot import track_lines
from vidreview.export.parquet import write_parquet
from vidreview.export.sheets import escape, formatter, unescape
from vidreview.export.tables import TABLES, Contents
from vidreview.export.write import FORMATS, Format, export
from vidreview.index import Case, DetectionRow, Identity, Reader
from vidreview.index.points import StoredPoint
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings
from vidreview.verify import verify

Cli = Callable[..., Result]
MADE = "2026-03-01T12:00:00.000Z"
#: exactly these; one has a folder in it, as no name of a file holds a slash
NAMES = (
    '"><img src=x onerror=alert(1)>.mp4',
    "=cmd|' /C calc'!A0.mp4",
    "two\nlines;=1+1.mp4",
    "-5.mp4",
    "\uff1dHYPERLINK(1).mp4",
    os.fsdecode(b"bad\xff\xfe.mp4"),
)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence with hostile names, a copy of one, a file that cannot be read; a case of it with reviews and clocks."""
    from vidreview.cli import run

    folder = tmp_path_factory.mktemp("export")
    evidence = folder / "evidence"
    for k, name in enumerate(NAMES):
        (evidence / name).parent.mkdir(parents=True, exist_ok=True)
        film(folder / "film.mp4", 60, [(10, 40)], seed=k + 2).rename(evidence / name)
    shutil.copy(evidence / "-5.mp4", evidence / "copy of -5.mp4")
    (evidence / "empty.mp4").write_bytes(b"")
    record = {
        "reference": "=NMC/1",
        "operator": "=A. Operator",
        "organisation": "@Unit",
        "reason": "+why",
        "argv": ["x"],
    }
    case = folder / "case"
    scan([evidence], case, ScanSettings(), detector=RedDetector(), record=record)
    at = ["--case", str(case), "-q"]
    check = ["--shown", "2024-01-20 14:02:07", "--reference", "2024-01-20 14:00:00", "--source", "speaking clock"]
    for typed in (
        ["review", "set", "E0001", "relevant", "--by", "=Eve", "--note", "=1+1;\n-5", *at],
        ["review", "set", "E0002", "not-relevant", "--by", "B", *at],
        ["clock", "add", "*.mp4", *check, "--zone", "Europe/London", "--by", "=Eve", *at],
        ["clock", "add", *at, "--shown", "2024-01-15 22:00:00", "--at", "0", "--by", "B", "--", "-5.mp4"],
        ["clip", "E0001", *at],
        ["still", "E0001", *at],
    ):
        assert run(typed) == 0, typed
    return folder


@pytest.fixture
def case(scanned: Path, tmp_path: Path) -> Path:
    """A copy of that case."""
    return Path(shutil.copytree(scanned / "case", tmp_path / "case"))


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def shown(name: str) -> str:
    """A name as exports write it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("form", FORMATS)
def test_every_file_has_its_entry_and_the_same_case_gives_the_same_files(case: Path, form: Format) -> None:
    """Rules A3, A7: a case exported twice differs in the time of making and in what the log grew by only."""
    first = export(case, form, made_utc=MADE)
    contents = {path: path.read_bytes() for path, _ in first.files}
    assert contents and all(contents.values())
    verdict = verify(case)
    assert not verdict.faults and verdict.checked["derived"] >= len(contents)
    entries = [entry["facts"] for entry in AuditLog(case / "audit.jsonl").entries() if entry["action"] == "derived"]
    ours = [facts for facts in entries if facts["command"] == f"vidreview export {form}"]
    assert {facts["path"] for facts in ours} == {path.relative_to(case).as_posix() for path in contents}
    assert {facts["parent_sha256"] for facts in ours} == {first.facts.audit_head}

    before = first.facts.audit_head
    second = export(case, form, made_utc=MADE)
    grown, entries_then = second.facts.audit_head, f"{second.facts.audit_entries}"
    for path, _ in second.files:
        now = path.read_bytes()
        if path.suffix != ".parquet":
            now = now.replace(grown.encode(), before.encode())
            now = now.replace(entries_then.encode(), str(first.facts.audit_entries).encode())
            then = contents[path].replace(entries_then.encode(), str(first.facts.audit_entries).encode())
            assert now == then, path
        else:
            assert pl.read_parquet(path).equals(pl.read_parquet(io.BytesIO(contents[path])))
    assert not verify(case).faults
    some = first.files[0][0]
    some.write_bytes(some.read_bytes() + b"x")
    assert any("was changed" in fault.reason for fault in verify(case).faults)


# ---- csv


def test_a_csv_of_hostile_names_holds_no_formula_and_reads_back(case: Path) -> None:
    """What stands in the issue: a cell that starts with = does no harm; -5 in a column of numbers stays a number."""
    export(case, "csv")
    folder = case / "export" / "csv"
    seen = 0
    for path in sorted(folder.glob("*.csv")):
        raw = path.read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf") and raw.endswith(b"\r\n")
        for separator in ",;\t|":
            for row in csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=separator):
                for cell in row:
                    stripped = cell.strip(" '\"")
                    number = stripped.replace(".", "", 1).lstrip("-").isdigit() and "'" not in cell
                    assert cell.lstrip(' "')[:1] not in tuple("=+-@\t\r\n＝＋－＠") or number, (path.name, cell)
                    seen += cell.lstrip(' "').startswith("'")
    assert seen > 20, "there was something to be escaped"
    exhibits = read_csv(folder / "exhibits.csv")
    assert {unescape(row["exhibit"]) for row in exhibits} >= {shown(name) for name in NAMES}
    raw_names = {bytes.fromhex(row["name_bytes_hex"]) for row in exhibits if row["name_bytes_hex"]}
    assert raw_names == {b"bad\xff\xfe.mp4"}
    assert {unescape(row["reference"]) for row in exhibits} == {"=NMC/1"}
    (run,) = read_csv(folder / "runs.csv")
    assert [unescape(run[name]) for name in ("operator", "organisation", "reason")] == ["=A. Operator", "@Unit", "+why"]


def test_the_csv_of_events_is_the_list_of_events(case: Path) -> None:
    """Rules B2, E5: displayed, corrected and UTC times with their bounds; the review with who, when and why."""
    export(case, "csv")
    rows = read_csv(case / "export" / "csv" / "events.csv")
    with Reader.open(case) as reader:
        events = reader.events()
    assert [row["event"] for row in rows] == [event["id"] for event in events] and len(rows) == len(NAMES)
    for row, event in zip(rows, events, strict=True):
        assert (int(row["start_pts"]), float(row["end_s"])) == (event["start_pts"], event["end_s"])
        for name in (
            "start_shown",
            "start_corrected",
            "start_utc",
            "time_source",
            "review",
            "review_by",
            "review_note",
        ):
            assert unescape(row[name]) == (event[name] or ""), name
        for name in ("shown_uncertainty_s", "corrected_uncertainty_s", "utc_uncertainty_s"):
            assert row[name] == ("" if event[name] is None else repr(event[name])), name
    timed = next(row for row in rows if unescape(row["exhibit"]) == "-5.mp4")
    assert timed["start_utc"].startswith("2024-01-15T21:57:5") and timed["utc_uncertainty_s"]
    assert unescape(rows[0]["review_note"]) == "=1+1;\n-5"


def test_negative_numbers_stay_numbers_and_text_of_the_same_look_does_not() -> None:
    line = formatter(",")
    assert (
        line((-5, -0.25, "-5", None, "", True, b"\x01", 10**18))
        == '-5,-0.25,"\'-5",,"",true,"01",1000000000000000000\r\n'
    )
    assert formatter(";")((-0.5, "a;=b")) == '-0,5;"a;\'=b"\r\n'


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("  =1", "  '=1"),
        ('"=1', "\"'=1"),
        ("\u00a0\u200b\ufeff+1", "\u00a0\u200b\ufeff'+1"),
        ("＝1", "'＝1"),
        ("＋＝－＠", "'＋＝－＠"),
        ("a;=1", "a;'=1"),
        ("a,  -1", "a,  '-1"),
        ("'=1", "''=1"),
        ("a=1-2", "a=1-2"),
        ("2024-01-01", "2024-01-01"),
        ("", ""),
    ],
)
def test_what_would_be_a_formula_is_text(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert unescape(escaped) == text


@given(st.text(alphabet=st.sampled_from(list("=+-@\t\r\n'\" ;,|a＝\u200b\u2212")) | st.characters(), max_size=30))
def test_the_escape_can_be_taken_away_again(text: str) -> None:
    escaped = escape(text)
    assert unescape(escaped) == text
    if text.strip()[:1] in ("=", "+", "@"):
        assert escaped != text


def test_text_without_end_is_escaped_in_no_time() -> None:
    """A note of a hostile marks file must not cost more than its length."""
    began = time.perf_counter()
    for text in (" " * 200_000, "'" * 200_000, ",'" * 100_000, "=\t" * 100_000):
        assert unescape(escape(text)) == text
    assert time.perf_counter() - began < 5


def test_a_case_that_was_tampered_with_gives_no_formula(case: Path) -> None:
    with closing(sqlite3.connect(case / "case.db", isolation_level=None)) as db:
        db.execute("UPDATE detections SET score = '=1+1' WHERE number = 0")
    export(case, "csv")
    scores = [row["score"] for row in read_csv(case / "export" / "csv" / "detections.csv")]
    assert "'=1+1" in scores and "=1+1" not in scores
    with pytest.raises(CaseError, match="column score of detections holds what vidreview did not write"):
        export(case, "parquet")
    assert not list((case / "export").glob("parquet/*"))


# ---- json, mot, parquet


def test_the_document_holds_all_of_the_case(case: Path, scanned: Path) -> None:
    """Rule E4: dropped tracks and detections below the threshold are in it."""
    with closing(sqlite3.connect(case / "case.db", isolation_level=None)) as db:
        db.execute("UPDATE tracks SET dropped = 'shorter than 0.3 s' WHERE number = 2")
        db.execute("DELETE FROM event_tracks WHERE track = (SELECT id FROM tracks WHERE number = 2)")
        db.execute("UPDATE detections SET score = 0.02 WHERE number = 0")
        wanted = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("tracks", "detections")
        }
    export(case, "json")
    raw = (case / "export" / "case.json").read_bytes()
    assert raw.isascii()
    document = json.loads(raw)
    assert document["vidreview_export"] == 1 and "leads" in document["about"]["leads"]
    assert document["about"]["audit_head"] in {entry["hash"] for entry in AuditLog(case / "audit.jsonl").entries()}
    assert [one["exhibit"] for one in document["exhibits"]][:1] == [NAMES[0]]
    states = {one["exhibit"]: one["state"] for one in document["exhibits"]}
    assert states["empty.mp4"] == "failed" and states["copy of -5.mp4"] == "duplicate"
    with Reader.open(case) as reader:
        assert document["events"] == json.loads(json.dumps(reader.events()))
        assert document["tracks"][0]["path"][0][1] == reader.track_points(1)[0].pts
    assert len(document["tracks"]) == wanted["tracks"] and len(document["detections"]) == wanted["detections"]
    assert [one["dropped"] for one in document["tracks"] if one["event"] is None] == ["shorter than 0.3 s"]
    assert min(row[document["detection_columns"].index("score")] for row in document["detections"]) == 0.02
    assert document["clocks"][0]["offsets"][0]["offset_s"] == 127
    assert document["reviews"][0]["by"] == "=Eve" and document["reviews"][0]["counts"]


def test_mot_text_is_that_of_tracks_and_has_the_raw_detections(case: Path, cli: Cli) -> None:
    done = export(case, "mot")
    folder = case / "export" / "mot"
    names = {path.relative_to(folder).parts[0] for path, _ in done.files}
    assert all(name == "README.txt" or name.startswith("exhibit0") for name in names), "never a file's own name"
    told = cli("tracks", "--exhibit", "-5.mp4", "--format", "mot", "--case", case).out
    (sequence,) = [one for one in folder.glob("exhibit*") if (one / "tracks.txt").read_text() == told]
    assert sequence.name in (folder / "README.txt").read_text(encoding="utf-8")
    from vidreview.motfile import read_detections

    assert len(read_detections(sequence / "det" / "det.txt")) == 9
    info = dict(line.split("=") for line in (sequence / "seqinfo.ini").read_text().splitlines() if "=" in line)
    assert (info["frameRate"], info["seqLength"], info["imWidth"]) == ("10", "60", "320")


def test_lines_of_tracks_are_sorted_though_never_held_together() -> None:
    def point(frame: int) -> StoredPoint:
        return StoredPoint(frame, frame, frame / 10, (1.0, 2.0, 3.0, 5.0), "detected", None, None)

    courses = {1: [0, 1, 9], 5: [0, 2], 3: [1, 2, 3], 2: [9]}
    lines = list(track_lines((number, [point(k) for k in frames]) for number, frames in courses.items()))
    keys = [tuple(map(int, line.split(",")[:2])) for line in lines]
    assert keys == sorted((frame + 1, number) for number, frames in courses.items() for frame in frames)
    assert lines[0] == "1,1,1.00,2.00,2.00,3.00,-1,-1,-1,-1"
    alive: list[int] = []

    def one_by_one() -> Iterator[tuple[int, list[StoredPoint]]]:
        for number in range(1000):
            alive.append(number)
            yield number, [point(number), point(number + 1)]

    for count, _ in enumerate(track_lines(one_by_one())):
        assert len(alive) <= count // 2 + 4


def test_parquet_is_typed_and_says_what_it_is(case: Path) -> None:
    done = export(case, "parquet")
    events = pl.read_parquet(case / "export" / "parquet" / "events.parquet")
    assert events.schema["start_pts"] == pl.Int64 and events.schema["score"] == pl.Float64
    assert events.schema["start_utc"] == pl.Datetime("us", "UTC") and events.schema["start_shown"] == pl.Datetime("us")
    assert events["exhibit"].to_list()[0] == NAMES[0] and events["provisional"].to_list() == [False] * len(NAMES)
    assert events.filter(pl.col("exhibit") == "-5.mp4")["start_utc"].dt.year().to_list() == [2024]
    facts = pl.read_parquet_metadata(case / "export" / "parquet" / "detections.parquet")
    assert facts["vidreview.audit_head"] == done.facts.audit_head and facts["vidreview.table"] == "detections"
    for name, count in done.counts.items():
        assert pl.read_parquet(case / "export" / "parquet" / f"{name}.parquet").height == count
    assert done.counts["detections"] == 9 * len(NAMES)
    assert not list((case / "export" / "parquet").glob(".*")), "no parts are left"


def test_a_table_of_many_row_groups_keeps_its_order_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidreview.export.parquet._PART", 100)
    monkeypatch.setattr("vidreview.export.parquet._GROUP", 250)
    with Case.open(tmp_path / "case", create=True) as opened:
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(run, Identity("a.mp4", Path("/e/a.mp4"), 1, 1, "a" * 64))
        stream = opened.add_stream(exhibit, stream_info())
        rows = [DetectionRow(k, k * 10, k / 10, 1, 2, 3, 4, 0.5, "person", "frame") for k in range(1234)]
        opened.add_detections(stream, rows)
    export(tmp_path / "case", "parquet")
    found = pl.read_parquet(tmp_path / "case" / "export" / "parquet" / "detections.parquet")
    assert found["pts"].to_list() == [k * 10 for k in range(1234)]


# ---- case


@pytest.fixture(scope="module")
def graph(scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The CASE/UCO graph of the case, and the path that it was read from."""
    import rdflib

    path = tmp_path_factory.mktemp("graph") / "case.jsonld"
    case = Path(shutil.copytree(scanned / "case", path.parent / "case"))
    export(case, "case", path, made_utc=MADE)
    found = rdflib.Graph()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of rdflib about itself
        found.parse(path, format="json-ld")
    return found, path


def test_case_validate_accepts_the_graph_and_knows_every_word(graph: Any) -> None:
    command = Path(sys.executable).with_name("case_validate")
    done = subprocess.run([command, graph[1]], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Conforms: True" in done.stdout
    assert "arning" not in done.stderr and "NonExistent" not in done.stderr, done.stderr


def test_case_validate_would_have_found_a_fault(graph: Any, tmp_path: Path) -> None:
    document = json.loads(graph[1].read_text())
    event = next(node for node in document["@graph"] if node["@type"] == "core:Event")
    event["core:startTime"] = "yesterday"
    event["core:noSuchWord"] = "x"
    (tmp_path / "wrong.jsonld").write_text(json.dumps(document))
    command = Path(sys.executable).with_name("case_validate")
    done = subprocess.run(
        [command, tmp_path / "wrong.jsonld"], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode != 0 and "Conforms: False" in done.stdout and "noSuchWord" in done.stderr


def test_the_graph_says_what_the_case_does(graph: Any, scanned: Path) -> None:
    found, _ = graph
    prefixes = """
        PREFIX core: <https://ontology.unifiedcyberontology.org/uco/core/>
        PREFIX action: <https://ontology.unifiedcyberontology.org/uco/action/>
        PREFIX types: <https://ontology.unifiedcyberontology.org/uco/types/>
        PREFIX observable: <https://ontology.unifiedcyberontology.org/uco/observable/>
        PREFIX investigation: <https://ontology.caseontology.org/case/investigation/>
    """

    def ask(query: str) -> list[tuple[str, ...]]:
        return sorted(tuple(str(value) for value in row) for row in found.query(prefixes + query))

    with Reader.open(scanned / "case") as reader:
        events = reader.events()
    files = ask(
        "SELECT ?event ?name ?hash WHERE { ?e a core:Event ; core:name ?event ; core:eventContext ?f . "
        "?f core:name ?name ; core:hasFacet/observable:hash/types:hashValue ?hash }"
    )
    assert files == [(one["id"], shown(one["exhibit"]), one["exhibit_sha256"]) for one in events]
    ((number, start),) = ask("SELECT ?n ?t WHERE { ?e a core:Event ; core:name ?n ; core:startTime ?t }")
    timed = next(one for one in events if one["start_utc"])
    assert (number, start[:19]) == (timed["id"], timed["start_utc"][:19])
    reviews = ask(
        "SELECT ?by ?event ?said WHERE { ?a a core:Annotation ; core:tag 'review' ; core:createdBy/core:name ?by ; "
        "core:object/core:name ?event ; core:statement ?said }"
    )
    assert reviews == [
        ("=Eve", "E0001", "=1+1;\n-5"),
        ("=Eve", "E0001", "E0001 is relevant"),
        ("B", "E0002", "E0002 is not relevant"),
    ]
    assert ask("SELECT DISTINCT ?n WHERE { ?p investigation:exhibitNumber ?n }") == [("=NMC/1",)]
    ((operator, first, last),) = ask(
        "SELECT ?by ?s ?e WHERE { ?a action:performer/core:name ?by ; action:startTime ?s ; action:endTime ?e }"
    )
    assert operator == "=A. Operator" and first <= last
    derived = ask(
        "SELECT ?file ?exhibit WHERE { ?r core:kindOfRelationship 'Extracted_From' ; core:source/core:name ?file ; "
        "core:target/core:name ?exhibit }"
    )
    assert {name for name, _ in derived} == {"E0001.json", "E0001.png", "E0001_copy.json", "E0001_copy.mp4"}
    assert {exhibit for _, exhibit in derived} == {events[0]["exhibit"]}
    ends = {str(s).rpartition("-")[2] for s in found.subjects()}
    assert all(len(end) == 12 for end in ends), "every name ends in a UUID"


# ---- where it goes


def test_one_file_goes_to_stdout(case: Path, cli: Cli) -> None:
    before = (case / "audit.jsonl").read_bytes()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from vidreview.cli import main; main()",
            "export",
            "json",
            "--output",
            "-",
            "--case",
            case,
        ],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert len(json.loads(done.stdout)["events"]) == len(NAMES) and done.stderr == b""
    assert (case / "audit.jsonl").read_bytes() == before and not (case / "export").exists()
    for form in ("csv", "mot", "parquet"):
        result = cli("export", form, "--output", "-", "--case", case)
        assert result.status == 2 and "name a folder" in result.err


def test_a_file_elsewhere_is_entered_as_handed_over(case: Path, tmp_path: Path, cli: Cli) -> None:
    result = cli("export", "json", "--output", tmp_path / "out.json", "--json", "--case", case)
    assert result.status == 0
    (file,) = json.loads(result.out)["files"]
    *_, last = AuditLog(case / "audit.jsonl").entries()
    assert (last["action"], last["facts"]["sha256"]) == ("exported", file["sha256"])
    assert last["facts"]["path"] == str(tmp_path / "out.json")
    assert "exported" in cli("log", "--case", case).out and not verify(case).faults


def test_nothing_is_written_into_evidence_or_over_the_case(case: Path, scanned: Path, tmp_path: Path) -> None:
    """Rule A1."""
    evidence = scanned / "evidence"
    (tmp_path / "link").symlink_to(evidence)
    before = {path: path.read_bytes() for path in sorted(evidence.rglob("*")) if path.is_file()}
    for target in (
        evidence / "out.json",
        evidence / "-5.mp4",
        evidence / "new" / "out.json",
        tmp_path / "link" / "o.json",
    ):
        with pytest.raises(CaseRefusedError, match="lies in the evidence"):
            export(case, "json", target)
    for folder in (evidence, evidence / "csv", tmp_path / "link"):
        with pytest.raises(CaseRefusedError, match="lies in the evidence"):
            export(case, "csv", folder)
    for target in (case / "case.db", case / "audit.jsonl", case / "clips" / "E0001_copy.mp4", case):
        with pytest.raises(UsageError, match="case folder"):
            export(case, "json", target)
    with pytest.raises(UsageError, match="is a folder"):
        export(case, "json", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        export(case, "csv", tmp_path / "file")
    assert {path: path.read_bytes() for path in sorted(evidence.rglob("*")) if path.is_file()} == before
    assert not verify(case).faults


def test_a_link_where_a_file_is_to_be_written_is_not_followed(case: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (case / "export").mkdir()
    (case / "export" / "case.json.part").symlink_to(victim)
    (case / "export" / "case.json").symlink_to(victim)
    export(case, "json")
    assert victim.read_bytes() == b"mine" and not (case / "export" / "case.json").is_symlink()


def test_a_disk_that_is_full_leaves_nothing(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(case, "csv", made_utc=MADE)
    before = {path.name: path.read_bytes() for path in (case / "export" / "csv").iterdir()}
    log = (case / "audit.jsonl").read_bytes()

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vidreview.export.sheets._readme", full)
    with pytest.raises(CaseError, match=r"cannot write .*README.txt: No space left on device"):
        export(case, "csv")
    assert {path.name: path.read_bytes() for path in (case / "export" / "csv").iterdir()} == before
    assert (case / "audit.jsonl").read_bytes() == log


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_interrupted_export_leaves_nothing_half(case: Path, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule A11."""
    real = Reader.stream

    def interrupted(self: Reader, statement: str, values: Any = ()) -> Iterator[tuple[Any, ...]]:
        yield from real(self, statement, values)
        if "FROM detections" in statement:
            raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(case, form)
    assert [path for path in (case / "export").rglob("*") if path.is_file()] == []
    assert not verify(case).faults


def test_an_interruption_while_files_are_put_in_place_waits(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        done = real(self, target)
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        export(case, "csv")
    assert len(list((case / "export" / "csv").iterdir())) == len(TABLES) + 1
    assert not verify(case).faults, "all are there, and all are in the log"


def test_a_killed_export_leaves_only_what_verify_calls_left_over(case: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from vidreview.export import sheets
from vidreview.export.write import export
sheets._readme = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
export(Path({str(case)!r}), "csv")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    verdict = verify(case)
    assert not verdict.faults and any("left over by a kill" in note.reason for note in verdict.notes)
    export(case, "csv")
    assert not [note for note in verify(case).notes if "left over" in note.reason], "the next one clears them away"


def test_a_killed_parquet_export_leaves_only_what_verify_calls_left_over(case: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
import polars
from vidreview.export.write import export
polars.LazyFrame.sink_parquet = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
export(Path({str(case)!r}), "parquet")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    verdict = verify(case)
    assert not verdict.faults and any("left over by a kill" in note.reason for note in verdict.notes)
    export(case, "parquet")
    assert not [note for note in verify(case).notes if "left over" in note.reason], "the next one clears them away"


def test_two_exports_do_not_write_into_one_another(case: Path) -> None:
    with Outputs(case / "export" / "csv") as first:
        with first.open("exhibits.csv") as file:
            file.write(b"half")
            with pytest.raises(CaseError, match="another export is writing"):
                export(case, "csv")
        with first.open("other.csv") as file:
            file.write(b"x")
    assert not list((case / "export" / "csv").iterdir())
    assert export(case, "csv").files and not verify(case).faults


def test_an_export_while_a_scan_writes_is_of_one_state_and_says_so(tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "case"
    log = AuditLog(folder / "audit.jsonl")
    with Case.open(folder, create=True) as opened:
        run = opened.begin_run(RECORD)
        fill(opened, run=run)
        log.append("scan-begins", run=run)
        fill(opened, "b.mp4", "b" * 64, finish=False, run=run)
        with Reader.open(folder) as reader:
            contents = Contents(reader)
            assert contents.unfinished == 1
            fill(opened, "c.mp4", "c" * 64, run=run)
            assert len(list(TABLES["events"].rows(contents))) == 4, "what came later is not seen"
            with Outputs(tmp_path / "out") as outputs:
                from vidreview.export.facts import gather

                counts = write_parquet(contents, gather(contents, log), outputs)
            assert counts["exhibits"] == 2 and not list((tmp_path / "out").glob("*.parquet")), "never published"
        result = cli("export", "json", "--case", folder)
    assert result.status == 0 and "The scan of 1 exhibit is not over" in result.err
    document = json.loads((folder / "export" / "case.json").read_bytes())
    assert document["about"]["exhibits_unfinished"] == 1 and "provisional" in document["about"]["unfinished"]
    assert [one["provisional"] for one in document["events"]] == [False, False, True, True, False, False]


def test_no_case_is_one_clear_error(tmp_path: Path, cli: Cli) -> None:
    result = cli("export", "json", "--case", tmp_path / "none")
    assert result.status == 1 and "run 'vidreview scan" in result.err
    result = cli("export", "xml", "--case", tmp_path)
    assert result.status == 2
    result = cli("export", "json", "--separator", "tab", "--case", tmp_path)
    assert result.status == 2 and "--separator is for csv" in result.err


def test_a_semicolon_goes_with_a_decimal_comma(case: Path, cli: Cli) -> None:
    assert cli("export", "csv", "--separator", "semicolon", "--case", case).status == 0
    path = case / "export" / "csv" / "events.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert rows[0]["start_s"] == "1,1" and unescape(rows[1]["exhibit"]) in {shown(name) for name in NAMES}
    assert "a decimal comma" in (case / "export" / "csv" / "README.txt").read_text(encoding="utf-8")


@pytest.mark.footage
@pytest.mark.model
def test_a_case_of_real_footage_is_exported_in_every_format(
    footage: Path, model_path: Path, tmp_path: Path, cli: Cli
) -> None:
    clip = footage / "clips" / "one-by-one-person-detection.mp4"
    case = tmp_path / "case"
    assert cli("scan", clip, "--case", case, "-q").status == 0
    with Reader.open(case) as reader:
        events, tracks = reader.numbers("events")[0], reader.numbers("tracks")[0]
    assert events and tracks
    for form in FORMATS:
        result = cli("export", form, "--json", "--case", case)
        assert result.status == 0
        assert json.loads(result.out)["counts"].get("events" if form != "mot" else "tracks")
    table = pl.read_parquet(case / "export" / "parquet" / "track_points.parquet")
    assert table["track"].n_unique() == tracks and table["score"].drop_nulls().max() <= 1  # type: ignore[operator]
    assert not verify(case).faults
