"""Which decision does an outcome belong to?

A token carries the decision itself, signed: nothing is stored per request, and nothing is derived again when
the outcome arrives. It is signed, not encrypted: who holds one can read which variant answered.

Layout, before base64url without padding: ``[version, len(experiment), experiment, len(variant), variant,
epoch:4]`` padded with zeros to a multiple of three, then ``[flags:1, bucket:2, decision:8, time:4,
signature:12]``. The first part is constant per variant and epoch and is encoded once; at most 120 characters
in all, for names of up to 32 and 24 bytes.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from hashlib import blake2s
from hmac import compare_digest
from struct import Struct

from router.errors import TokenError

VERSION = 1
UNIDENTIFIED = 1
FORCED = 2
FALLBACK = 4
LOGGED = 8

_SIGNATURE = 12
_FIELDS = Struct(">BHQI")
_pack_fields = _FIELDS.pack
_EPOCH = Struct(">I")
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: one decision."""

    experiment: str
    epoch: int
    variant: str
    bucket: int
    decision: int
    time: int
    flags: int


class Signer:
    """Signs the decisions of one variant in one epoch."""

    __slots__ = ("_begun", "_encoded")

    def __init__(self, key: bytes, experiment: str, epoch: int, variant: str) -> None:
        names = b"".join(bytes([len(name)]) + name for name in (experiment.encode(), variant.encode()))
        body = bytes([VERSION]) + names + _EPOCH.pack(epoch)
        constant = body + bytes(-len(body) % 3)
        self._encoded = b2a_base64(constant, newline=False).translate(_URLSAFE)
        # The key and the constant part are hashed once; a signature goes on from a copy of that.
        self._begun = blake2s(constant, key=key, digest_size=_SIGNATURE)

    def sign(self, bucket: int, decision: int, time: int, flags: int = 0) -> bytes:
        """The token, in ASCII; ``time`` in whole unix seconds, ``decision`` unique among all workers."""
        fields = _pack_fields(flags, bucket, decision, time)
        signature = self._begun.copy()
        signature.update(fields)
        return self._encoded + b2a_base64(fields + signature.digest(), newline=False).translate(_URLSAFE)


def read_token(text: str, key: bytes) -> Token:
    """The decision that a token names; `TokenError` unless this key signed it."""
    try:
        encoded = text.encode("ascii")
        raw = a2b_base64(encoded.translate(_STANDARD), strict_mode=True)
    except (UnicodeEncodeError, Base64Error, ValueError):
        raise TokenError("the token is not one of this service: it is not base64url text") from None
    # One decision has one text: decoding alone would let the other alphabet's signs and padding pass.
    if b2a_base64(raw, newline=False).translate(_URLSAFE) != encoded:
        raise TokenError("the token is not one of this service: it was written in another way")
    if len(raw) < _FIELDS.size + _SIGNATURE:
        raise TokenError("the token is not one of this service: it is too short")

    signed, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
    if not compare_digest(blake2s(signed, key=key, digest_size=_SIGNATURE).digest(), signature):
        raise TokenError("the token's signature does not verify: it was altered, or signed with another key")
    if signed[0] != VERSION:
        raise TokenError(f"the token's version is {signed[0]}; this service reads version {VERSION}")

    split = 2 + signed[1]
    end = split + 1 + signed[split]
    flags, bucket, decision, time = _FIELDS.unpack_from(signed, len(signed) - _FIELDS.size)
    return Token(
        experiment=signed[2:split].decode(),
        variant=signed[split + 1 : end].decode(),
        epoch=_EPOCH.unpack_from(signed, end)[0],
        bucket=bucket,
        decision=decision,
        time=time,
        flags=flags,
    )


def sign_force(key: bytes, experiment: str, variant: str, expires: int) -> str:
    """The value of ``x-turnout-force`` that gives one variant until ``expires`` (unix seconds)."""
    claim = f"{experiment}.{variant}.{expires}"
    return f"{claim}.{blake2s(claim.encode(), key=key, digest_size=_SIGNATURE, person=b'force').hexdigest()}"


def read_force(text: str, key: bytes, now: float) -> tuple[str, str]:
    """Experiment and variant that a force header names; `TokenError` unless signed and in time."""
    claim, _, signature = text.rpartition(".")
    signed = claim.encode("utf-8", "surrogatepass")
    expected = blake2s(signed, key=key, digest_size=_SIGNATURE, person=b"force").hexdigest()
    if not compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        raise TokenError("the force header's signature does not verify")
    experiment, variant, expires = claim.split(".")
    if int(expires) < now:
        raise TokenError("the force header has expired")
    return experiment, variant
