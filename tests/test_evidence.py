"""Evidence: found in order, identified, never touched."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import pytest

from vidreview.errors import EvidenceError, IntegrityError
from vidreview.evidence import (
    BLOCK,
    Exhibit,
    Found,
    Unreadable,
    check_unchanged,
    discover,
    hash_file,
    identify,
    is_evidence_candidate,
    unchanged,
)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def names(*sources: Path) -> list[str]:
    return [item.name for item in discover(sources)]


def test_folders_are_walked_in_sorted_order(tmp_path: Path) -> None:
    fill(tmp_path, "b.mp4", "a/z.mp4", "a/b/c.mp4", "c/a.mp4", "B.mp4")
    assert names(tmp_path) == ["B.mp4", "a/b/c.mp4", "a/z.mp4", "b.mp4", "c/a.mp4"]


def test_files_keep_their_order_and_base_names(tmp_path: Path) -> None:
    fill(tmp_path, "x/b.mp4", "a.mp4")
    assert list(discover([tmp_path / "x/b.mp4", tmp_path / "a.mp4"])) == [
        Found(tmp_path / "x/b.mp4", "b.mp4"),
        Found(tmp_path / "a.mp4", "a.mp4"),
    ]


def test_equal_names_are_told_apart_by_folders(tmp_path: Path) -> None:
    fill(tmp_path, "1/cam/x.mp4", "2/cam/x.mp4", "3/x.mp4", "4/y.mp4")
    assert names(tmp_path / "1/cam", tmp_path / "2/cam", tmp_path / "3/x.mp4", tmp_path / "4") == [
        "1/cam/x.mp4",
        "2/cam/x.mp4",
        "3/x.mp4",
        "y.mp4",
    ]


def test_a_path_met_twice_is_given_once(tmp_path: Path) -> None:
    fill(tmp_path, "a/x.mp4", "a/y.mp4")
    assert names(tmp_path / "a/x.mp4", tmp_path / "a", tmp_path / "a/../a/y.mp4") == ["x.mp4", "y.mp4"]


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9\n.mp4"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (item,) = discover([tmp_path])
    assert os.fsencode(item.name) == b"caf\xe9\n.mp4"
    assert isinstance(item, Found)
    assert hash_file(item.path).value == hashlib.sha256(b"x").hexdigest()


def test_links_and_special_files_are_listed_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "evidence"
    fill(tmp_path, "outside.mp4", "evidence/a.mp4")
    (folder / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        # the name of a socket must be short
        monkeypatch.chdir(folder)
        server.bind("s")
    found = list(discover([folder]))
    assert [item.name for item in found if isinstance(item, Found)] == ["a.mp4"]
    assert {item.name: item.reason for item in found if isinstance(item, Unreadable)} == {
        "link.mp4": "symbolic link, not followed",
        "loop": "symbolic link, not followed",
        "pipe.mp4": "pipe, not opened",
        "s": "socket, not opened",
    }


def test_a_source_that_is_a_link_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "real/a.mp4")
    (tmp_path / "drive").symlink_to(tmp_path / "real")
    assert names(tmp_path / "drive") == ["a.mp4"]


def test_what_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/x.mp4", "locked/y.mp4", "z.mp4")
    listing = Path.iterdir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    # root may list everything, so the refusal is acted out
    monkeypatch.setattr(Path, "iterdir", refuse)
    found = list(discover([tmp_path, tmp_path / "nowhere"]))
    assert [item.name for item in found] == ["a/x.mp4", "locked", "z.mp4", "nowhere"]
    assert isinstance(found[1], Unreadable)
    assert found[1].reason == "folder cannot be listed: Permission denied"
    assert isinstance(found[3], Unreadable)
    assert found[3].reason == "cannot be opened: No such file or directory"


def test_very_deep_folders(tmp_path: Path) -> None:
    folder = top = tmp_path / "d"
    try:
        for _ in range(1200):
            folder.mkdir()
            folder = Path(f"{folder}/d")
        folder.touch()
        found = list(discover([tmp_path]))
    finally:
        # pytest's own clean-up calls itself and would fail
        subprocess.run(["rm", "-rf", "--", top], check=True)
    assert [item.name.count("/") for item in found] == [1200]


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_hash_of_every_size(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "a").write_bytes(data[:size])
    counts: list[int] = []
    digest = hash_file(tmp_path / "a", counts.append)
    assert digest.value == hashlib.sha256(data[:size]).hexdigest()
    assert digest.algorithm == "sha256"
    assert sum(counts) == size
    assert max(counts, default=0) <= BLOCK


def test_other_hashes_of_seizure_records(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a", algorithm="md5").value == "900150983cd24fb0d6963f7d28e17f72"
    assert hash_file(tmp_path / "a", algorithm="sha1").value == "a9993e364706816aba3e25717850c26c9cd0d89d"


def test_hashing_leaves_every_date_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    os.utime(path, ns=(10**18, 10**18))
    path.chmod(0o400)
    before = path.stat()
    identify(Found(path, "a"))
    is_evidence_candidate(path)
    assert path.stat() == before


def test_file_that_grows_while_hashed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * (2 * BLOCK))

    def grow(_: int) -> None:
        with path.open("ab") as file:
            file.write(b"y")

    with pytest.raises(EvidenceError, match="changed while it was read"):
        hash_file(path, grow)


def test_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"^\S*nothing: cannot be opened: No such file or directory$"):
        hash_file(tmp_path / "nothing")
    with pytest.raises(EvidenceError, match="not a regular file"):
        hash_file(tmp_path)


def test_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    exhibit = identify(Found(path, "a"))
    assert exhibit == Exhibit(path, "a", 3, path.stat().st_mtime_ns, hash_file(path))
    check_unchanged(exhibit)
    assert unchanged(exhibit)
    # same length, and even the date put back: only the hash tells
    path.write_bytes(b"abd")
    os.utime(path, ns=(exhibit.mtime_ns, exhibit.mtime_ns))
    assert not unchanged(exhibit)
    with pytest.raises(IntegrityError, match="content changed since it was identified"):
        check_unchanged(exhibit)
    path.write_bytes(b"abc")
    os.utime(path, ns=(0, 0))
    with pytest.raises(IntegrityError, match="modification time changed"):
        check_unchanged(exhibit)
    path.unlink()
    with pytest.raises(IntegrityError, match="No such file"):
        check_unchanged(exhibit)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file (0 bytes)"),
        (b"not a video\n" * 50, "plain text, not a video"),
        ("Überwachung läuft\n".encode() * 5000, "plain text, not a video"),
        ("notes".encode("utf-16") * 1 + "more".encode("utf-16-le") * 9, "plain text, not a video"),
        (b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9", "picture (JPEG)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), "picture (PNG), not a video"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "picture (WebP), not a video"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(60), "picture (HEIC), not a video"),
        (b"PK\x03\x04" + bytes(60), "archive (ZIP) or office document"),
    ],
)
def test_what_is_clearly_no_video(tmp_path: Path, content: bytes, reason: str) -> None:
    """Rule C1."""
    (tmp_path / "a.mp4").write_bytes(content)
    candidate, why = is_evidence_candidate(tmp_path / "a.mp4")
    assert not candidate
    assert why.startswith(reason)


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x00\x00\x18ftypisom" + bytes(60),
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"\x00\x00\x00\x01\x67\x42",
        b"DHAV\xfd\x00" + bytes(50),
        (b"\xff\xd8\xff\xe0" + bytes(300) + b"\xff\xd9") * 3,
        b"\xff\xfe",
        bytes(range(256)),
    ],
)
def test_what_may_be_a_video(tmp_path: Path, content: bytes) -> None:
    """Rule C1."""
    (tmp_path / "a.txt").write_bytes(content)
    assert is_evidence_candidate(tmp_path / "a.txt") == (True, "")


@pytest.mark.parametrize("head", [b"MZ", b"\x7fELF"])
def test_executables_may_hold_footage(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a.exe").write_bytes(head + bytes(100))
    candidate, why = is_evidence_candidate(tmp_path / "a.exe")
    assert candidate
    assert "executable" in why


def test_unreadable_is_no_candidate(tmp_path: Path) -> None:
    assert is_evidence_candidate(tmp_path / "x") == (False, "cannot be opened: No such file or directory")
    assert is_evidence_candidate(tmp_path) == (False, "not a regular file")


@pytest.mark.footage
def test_odd_files_that_may_be_video(odd_files: Path) -> None:
    refused = {p.name for p in odd_files.iterdir() if not is_evidence_candidate(p)[0]}
    assert refused == {"empty.mp4", "text_named.mp4"}
