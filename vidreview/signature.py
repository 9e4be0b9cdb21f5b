"""A detached Ed25519 signature of the audit log's head: who vouched for the log up to which entry."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vidreview.errors import CaseError, IntegrityError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: beside ``audit.jsonl``
FILE: Final = "audit.sig"

#: part of what is signed, so that the signature can be passed off as nothing else
PURPOSE: Final = "vidreview: head of the audit log of a case"

_ALGORITHM: Final = "Ed25519"


class EncryptedKeyError(UsageError):
    """The private key needs a passphrase."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with."""

    key: Ed25519PublicKey

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` shows it: SHA256 and base64."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        line = self.key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def pem(self) -> str:
        """SubjectPublicKeyInfo, PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What ``audit.sig`` says, its signature checked with the key in it."""

    seq: int
    hash: str
    utc: str
    key: PublicKey


def statement(seq: int, hashed: str, utc: str) -> bytes:
    """The bytes that are signed: JSON with sorted keys, no spaces, ASCII only."""
    facts = {"algorithm": _ALGORITHM, "hash": hashed, "purpose": PURPOSE, "seq": seq, "utc": utc}
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign(key: Ed25519PrivateKey, seq: int, hashed: str, utc: str) -> dict[str, Any]:
    """The document of ``audit.sig`` for the entry ``seq`` with the hash ``hashed``."""
    return {
        "algorithm": _ALGORITHM,
        "hash": hashed,
        "public_key": PublicKey(key.public_key()).pem(),
        "purpose": PURPOSE,
        "seq": seq,
        "signature": base64.b64encode(key.sign(statement(seq, hashed, utc))).decode(),
        "utc": utc,
    }


def write(path: Path, document: dict[str, Any]) -> None:
    """Write ``audit.sig``, all or nothing; raises CaseError."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="ascii")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CaseError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> SignedHead | None:
    """What ``audit.sig`` says, None when there is none; raises IntegrityError when it is no valid signature."""
    from cryptography.exceptions import InvalidSignature

    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CaseError(f"cannot read {path}: {error.strerror}") from error
    try:
        document = json.loads(raw)
        seq, hashed, utc = document["seq"], document["hash"], document["utc"]
        said = (document["algorithm"], document["purpose"])
        whole = isinstance(seq, int) and isinstance(hashed, str) and isinstance(utc, str)
        if said != (_ALGORITHM, PURPOSE) or not whole:
            raise TypeError
        key = read_public_key(document["public_key"].encode())
        signature = base64.b64decode(document["signature"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error, UsageError) as error:
        raise IntegrityError("is not a signature as vidreview writes it; sign the log again") from error
    try:
        key.key.verify(signature, statement(seq, hashed, utc))
    except InvalidSignature as error:
        raise IntegrityError(
            "its signature does not fit what it says: it was altered; bring back a copy of it, or sign the log again"
        ) from error
    return SignedHead(seq, hashed, utc, key)


def read_public_key(raw: bytes) -> PublicKey:
    """An Ed25519 public key, PEM or a line of OpenSSH; raises UsageError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

    if b"PRIVATE KEY" in raw:
        raise UsageError("this is a private key; name the public one, and keep this one to yourself")
    try:
        key = load_pem_public_key(raw) if b"-----BEGIN" in raw else load_ssh_public_key(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError("not a public key in PEM or OpenSSH form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"not an Ed25519 key but {_kind(key)}; make one with 'ssh-keygen -t ed25519'")
    return PublicKey(key)


def read_private_key(raw: bytes, passphrase: str | None = None) -> Ed25519PrivateKey:
    """An Ed25519 private key, PEM or OpenSSH; raises UsageError, EncryptedKeyError where a passphrase is needed."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in raw else load_pem_private_key
    key: Any = None
    try:
        key = load(raw, None)
    except TypeError as error:  # so both loaders say that it is encrypted
        if passphrase is None:
            raise EncryptedKeyError("the key is encrypted and needs its passphrase") from error
        try:
            key = load(raw, passphrase.encode())
        except ValueError as wrong:
            raise UsageError("the passphrase does not open the key") from wrong
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("not a private key in PEM or OpenSSH form") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"not an Ed25519 key but {_kind(key)}; make one with 'ssh-keygen -t ed25519'")
    return key


def _kind(key: object) -> str:
    name = type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey").strip("_")
    return f"one of kind {name}" if name else "of another kind"
