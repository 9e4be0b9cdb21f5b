"""``vidreview log`` shows the audit log and signs it; ``vidreview verify`` checks the signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from tests.conftest import Result
from vidreview import signature
from vidreview.audit import AuditLog
from vidreview.cli.log import say
from vidreview.errors import IntegrityError, UsageError
from vidreview.index import Case

Cli = Callable[..., Result]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case with one run without exhibits, its log, and an entry whose facts are hostile."""
    folder = tmp_path / "case"
    log = AuditLog(folder / "audit.jsonl", clock=lambda: "2026-01-02T03:04:05.678901Z")
    with Case.open(folder, create=True) as opened:
        record: dict[str, Any] = {"settings_sha256": "s", "model_sha256": None}
        sources = ["/e/a", "/e/b", "/e/c"]
        run = opened.begin_run(record, lambda known: log.append("scan-begins", sources=sources, **record, **known))
        opened.finish_run(
            run, "done", {}, lambda known: log.append("scan-ends", state="done", summary={"events": 2}, **known)
        )
    log.append("review", event="E0001", state="relevant", by="A. E.", note="\x1b[31mred\nline", recorded={"table": 5})
    return folder


def made_key(path: Path, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: str | None = None) -> Ed25519PrivateKey:
    """A key in a file that only its owner can read."""
    key = Ed25519PrivateKey.generate()
    lock = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, form, lock))
    path.chmod(0o600)
    return key


def public(path: Path, key: Ed25519PrivateKey, ssh: bool = False) -> Path:
    """The key's public half in a file."""
    form = (Encoding.OpenSSH, PublicFormat.OpenSSH) if ssh else (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(key.public_key().public_bytes(*form))
    return path


# ---- showing


def test_the_log_as_a_table(case: Path, cli: Cli) -> None:
    result = cli("log", "--case", case)
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split() == ["entry", "UTC", "action", "what"]
    assert [line.split()[:4] for line in lines[1:4]] == [
        [str(seq), "2026-01-02", "03:04:05", action]
        for seq, action in ((1, "scan-begins"), (2, "scan-ends"), (3, "review"))
    ]
    assert "run 1 of /e/a, /e/b and 1 more" in lines[1]
    assert "run 1: done; 2 events" in lines[2]
    assert "\x1b" not in result.out
    assert "E0001 relevant, by A. E.: \\x1b[31mred\\nline" in lines[3]
    assert lines[-1] == f"Head: entry 3, {AuditLog(case / 'audit.jsonl').head()}"


def test_the_log_for_programs(case: Path, cli: Cli) -> None:
    entries = json.loads(cli("log", "--case", case, "--json").out)
    assert entries == list(AuditLog(case / "audit.jsonl").entries())


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--action", "scan-ends"], [2]),
        (["--action", "scan-ends", "--action", "review"], [2, 3]),
        (["--since-seq", "2"], [2, 3]),
        (["--limit", "2"], [2, 3]),
        (["--limit", "1", "--action", "scan-begins"], [1]),
        (["--since-seq", "9"], []),
    ],
)
def test_some_of_the_log(case: Path, cli: Cli, options: list[str], seqs: list[int]) -> None:
    shown = cli("log", "--case", case, "--json", *options)
    assert [entry["seq"] for entry in json.loads(shown.out)] == seqs
    table = cli("log", "--case", case, *options).out.splitlines()[:-1]
    assert [int(line.split()[0]) for line in table[1:]] == seqs
    assert seqs or table == ["No entries that match."]


def test_an_unknown_action_is_told(case: Path, cli: Cli) -> None:
    result = cli("log", "--case", case, "--action", "scan-end")
    assert result.status == 2
    assert "it has: review, scan-begins, scan-ends" in result.err


def test_no_log(tmp_path: Path, cli: Cli) -> None:
    result = cli("log", "--case", tmp_path)
    assert result.status == 1
    assert "no audit log in" in result.err


def test_a_log_that_was_tampered_with_is_shown_and_said(case: Path, cli: Cli) -> None:
    path = case / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"relevant", b"Relevant"))
    for more in ([], ["--json"]):
        result = cli("log", "--case", case, *more)
        assert result.status == 4
        assert "E0001" in result.out
        assert "not what was recorded: 1 fault; 'vidreview verify'" in result.err


SAID: list[tuple[str, dict[str, Any], str]] = [
    ("exhibit-begins", {"name": "a", "sha256": "b"}, "a, SHA-256 b"),
    ("exhibit-ends", {"name": "a", "events": 1}, "a: 1 event"),
    ("exhibit-ends", {"name": "a", "events": 0}, "a: 0 events"),
    ("exhibit-unreadable", {"name": "a", "reason": "empty"}, "a: empty"),
    ("exhibit-differs", {"path": "/a", "sha256": "b"}, "/a is not what was scanned there: SHA-256 b"),
    ("derived", {"path": "clips/a", "parent": "b", "command": "vidreview clip"}, "clips/a from b: vidreview clip"),
    ("torn-line", {"bytes": 7}, "the line before it, 7 bytes, was cut short by a kill"),
    ("scan-ends", {"summary": 5}, "run None: None; "),
    ("scan-begins", {"sources": 5, "run": 1, "model": "m", "version": "1"}, "run 1 of ; m, vidreview 1"),
    ("clock", {"offset": [1, 2], "text": "x" * 99}, "offset [1, 2], text " + "x" * 59 + "…"),
]


@pytest.mark.parametrize(("action", "facts", "words"), SAID, ids=[one[0] for one in SAID])
def test_entries_in_words(action: str, facts: dict[str, Any], words: str) -> None:
    assert say(action, facts) == words


# ---- signing


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_signed_log(
    case: Path,
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    form: PrivateFormat,
    passphrase: str | None,
) -> None:
    key = made_key(tmp_path / "key", form, passphrase)
    if passphrase is not None:
        assert (
            "needs its passphrase: set VIDREVIEW_KEY_PASSPHRASE"
            in cli("log", "--case", case, "--sign", tmp_path / "key").err
        )
        monkeypatch.setenv("VIDREVIEW_KEY_PASSPHRASE", passphrase)
    head = AuditLog(case / "audit.jsonl").head()
    result = cli("log", "--case", case, "--sign", tmp_path / "key")
    assert (result.status, result.err) == (0, "")
    fingerprint = signature.PublicKey(key.public_key()).fingerprint
    assert fingerprint in result.out
    document = json.loads((case / "audit.sig").read_text())
    assert (document["seq"], document["hash"], document["algorithm"]) == (3, head, "Ed25519")
    AuditLog(case / "audit.jsonl").append("later")
    result = cli("verify", "--case", case)
    assert result.status == 0
    assert f"Signature: entry 3 and all before it, signed by key {fingerprint} at " in result.out
    for ssh in (False, True):
        assert cli("verify", "--case", case, "--public-key", public(tmp_path / "pub", key, ssh)).status == 0
    shown = json.loads(cli("verify", "--case", case, "--json").out)
    assert shown["signature"] == {"seq": 3, "utc": document["utc"], "key": fingerprint}


def test_the_signature_can_be_checked_without_vidreview(case: Path, tmp_path: Path, cli: Cli) -> None:
    made_key(tmp_path / "key")
    document = json.loads(cli("log", "--case", case, "--sign", tmp_path / "key", "--json").out)
    signed = base64.b64decode(document.pop("signature"))
    key = load_pem_public_key(document.pop("public_key").encode())
    assert document["purpose"] == "vidreview: head of the audit log of a case"
    statement = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    key.verify(signed, statement)  # type: ignore[union-attr, call-arg]


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    """Taken down from `ssh-keygen -lf` for this key."""
    key = signature.read_public_key(
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIukZJqJHAimvg/OmaImdLID/gDLOig9guaO5hrM072Y someone@somewhere"
    )
    assert key.fingerprint == "SHA256:gFWF3Ds3jk/MGMHnz+4gcNquuxsCzkEyj55xaRQX40o"


def test_a_signed_entry_that_was_cut_off_is_found(case: Path, tmp_path: Path, cli: Cli) -> None:
    """Even where audit.head and all hashes were made anew."""
    made_key(tmp_path / "key")
    assert cli("log", "--case", case, "--sign", tmp_path / "key").status == 0
    log = AuditLog(case / "audit.jsonl")
    first = next(log.entries())
    log.path.write_bytes(log.path.read_bytes().splitlines(keepends=True)[0])
    log.head_path.write_text(json.dumps({"seq": 1, "hash": first["hash"]}))
    result = cli("verify", "--case", case)
    assert result.status == 4
    assert "audit.sig: entry 3 with hash" in result.out
    assert "is not in the audit log" in result.out


def test_a_missing_signature_is_found(case: Path, tmp_path: Path, cli: Cli) -> None:
    key = made_key(tmp_path / "key")
    result = cli("verify", "--case", case, "--public-key", public(tmp_path / "pub", key))
    assert result.status == 4
    assert "nothing is signed by the key that was named" in result.out
    cli("log", "--case", case, "--sign", tmp_path / "key")
    (case / "audit.sig").unlink()
    result = cli("verify", "--case", case)
    assert result.status == 4
    assert "though entry 4 of the audit log says that it was made" in result.out


def test_a_signature_by_another_key_is_found(case: Path, tmp_path: Path, cli: Cli) -> None:
    made_key(tmp_path / "key")
    other = made_key(tmp_path / "other")
    cli("log", "--case", case, "--sign", tmp_path / "key")
    kept = (case / "audit.sig").read_text()
    result = cli("verify", "--case", case, "--public-key", public(tmp_path / "pub", other))
    assert result.status == 4
    assert "not by the key that was named" in result.out
    head = list(AuditLog(case / "audit.jsonl").entries())[2]
    signature.write(case / "audit.sig", signature.sign(other, 3, head["hash"], "2026"))
    assert "is not the one that entry 4 of the audit log says was made" in cli("verify", "--case", case).out
    (case / "audit.sig").write_text(kept)
    assert cli("verify", "--case", case).status == 0


@pytest.mark.parametrize("field", ["seq", "hash", "utc", "signature", "public_key"])
def test_an_altered_signature_is_found(case: Path, tmp_path: Path, cli: Cli, field: str) -> None:
    made_key(tmp_path / "key")
    cli("log", "--case", case, "--sign", tmp_path / "key")
    path = case / "audit.sig"
    document = json.loads(path.read_text())
    other = signature.sign(made_key(tmp_path / "other"), 2, "ab" * 32, "2026")
    path.write_text(json.dumps(document | {field: other[field]}))
    result = cli("verify", "--case", case)
    assert result.status == 4
    assert "signature  audit.sig: its signature does not fit what it says" in result.out


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"seq": 1, "hash": "a", "utc": "b", "public_key": 5}', "[" * 100_000]
)
def test_a_signature_that_is_none_is_found(case: Path, cli: Cli, text: str) -> None:
    (case / "audit.sig").write_text(text)
    result = cli("verify", "--case", case)
    assert result.status == 4
    assert "is not a signature as vidreview writes it" in result.out
    with pytest.raises(IntegrityError):
        signature.read(case / "audit.sig")


def test_a_log_that_was_tampered_with_is_not_signed(case: Path, tmp_path: Path, cli: Cli) -> None:
    made_key(tmp_path / "key")
    (case / "audit.head").unlink()
    result = cli("log", "--case", case, "--sign", tmp_path / "key")
    assert result.status == 4
    assert "the log is not signed" in result.err
    assert not (case / "audit.sig").exists()


def test_a_key_that_others_can_read_earns_a_warning(case: Path, tmp_path: Path, cli: Cli) -> None:
    made_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    result = cli("log", "--case", case, "--sign", tmp_path / "key")
    assert result.status == 0
    assert "others can read the private key" in result.err


def test_keys_that_cannot_sign_are_refused(
    case: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made_key(tmp_path / "ed", passphrase="right")
    rsa = generate_private_key(65537, 2048)
    (tmp_path / "rsa").write_bytes(rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "junk").write_text("hello")
    public(tmp_path / "pub", key)
    for name in ("rsa", "junk", "pub"):
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("VIDREVIEW_KEY_PASSPHRASE", "wrong")
    said = {
        "rsa": "not an Ed25519 key but one of kind RSA",
        "junk": "not a private key in PEM or OpenSSH form",
        "pub": "not a private key",
        "ed": "the passphrase does not open the key",
        "none": "cannot read the key",
    }
    for name, words in said.items():
        result = cli("log", "--case", case, "--sign", tmp_path / name)
        assert result.status == 2, name
        assert words in result.err, name
    assert not (case / "audit.sig").exists()


def test_public_keys_that_are_none_are_refused(case: Path, tmp_path: Path, cli: Cli) -> None:
    made_key(tmp_path / "private")
    (tmp_path / "junk").write_text("hello")
    rsa = generate_private_key(65537, 2048).public_key()
    (tmp_path / "rsa").write_bytes(rsa.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    said = {
        "private": "this is a private key",
        "junk": "not a public key",
        "rsa": "one of kind RSA",
        "none": "cannot read",
    }
    for name, words in said.items():
        result = cli("verify", "--case", case, "--public-key", tmp_path / name)
        assert result.status == 2, name
        assert words in result.err, name
    with pytest.raises(UsageError):
        signature.read_public_key(b"")
