"""Does a token say what was signed, for everything that may be signed, and nothing that was not?"""

from __future__ import annotations

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import TokenError
from router.token import FORCED, UNIDENTIFIED, Signer, Token, read_force, read_token, sign_force

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
ALPHABET = ascii_letters + digits + "-_"

keys = st.binary(min_size=16, max_size=32)
experiments = st.text(ALPHABET, min_size=1, max_size=32)
variants = st.text(ALPHABET, min_size=1, max_size=24)
tokens = st.builds(
    Token,
    experiment=experiments,
    variant=variants,
    epoch=st.integers(0, 2**32 - 1),
    bucket=st.integers(0, 1023),
    decision=st.integers(0, 2**64 - 1),
    time=st.integers(0, 2**32 - 1),
    flags=st.sampled_from([0, UNIDENTIFIED, FORCED, UNIDENTIFIED | FORCED]),
)


def signed(token: Token, key: bytes = KEY) -> str:
    signer = Signer(key, token.experiment, token.epoch, token.variant)
    return signer.sign(token.bucket, token.decision, token.time, token.flags).decode("ascii")


@given(tokens, keys)
def test_what_was_signed_is_read(token: Token, key: bytes) -> None:
    text = signed(token, key)
    assert read_token(text, key) == token
    assert len(text) <= 120
    assert set(text) <= set(ALPHABET)


def test_the_longest_names_fit() -> None:
    token = Token("e" * 32, 2**32 - 1, "v" * 24, 1023, 2**64 - 1, 2**32 - 1, FORCED)
    assert len(signed(token)) == 120


def test_a_signer_signs_again_and_again() -> None:
    signer = Signer(KEY, "ranker", 3, "champion")
    read = [read_token(signer.sign(7, decision, 1_700_000_000).decode(), KEY) for decision in range(5)]
    assert [token.decision for token in read] == list(range(5))


@given(tokens, st.data())
def test_no_character_may_differ(token: Token, data: st.DataObject) -> None:
    text = signed(token)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_characters=text[at]))
    with pytest.raises(TokenError):
        read_token(text[:at] + other + text[at + 1 :], KEY)


@given(tokens, st.data())
def test_no_bit_may_differ(token: Token, data: st.DataObject) -> None:
    raw = bytearray(signed(token).encode())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(TokenError):
        read_token(raw.decode("latin-1"), KEY)


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text + "=",
        lambda text: text + "==",
        lambda text: text + "====",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + "A",
        lambda text: text + "AAAA",
        lambda text: text[:-1],
        lambda text: text[:-4],
        lambda text: text.replace("-", "+"),
        lambda text: text.replace("_", "/"),
        lambda text: text.upper(),
    ],
)
def test_one_decision_has_one_text(alter: object) -> None:
    assert callable(alter)
    # Of many tokens, one that has both of the signs in which the two base64 alphabets differ.
    texts = (signed(Token("ranker", 1, "champion", 5, number, 0, 0)) for number in range(1000))
    text = next(text for text in texts if "-" in text and "_" in text)
    with pytest.raises(TokenError):
        read_token(alter(text), KEY)


@given(st.one_of(st.text(), st.text(ALPHABET + "+/=", max_size=200), st.text(st.characters())))
def test_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(text, KEY)
    with pytest.raises(TokenError):
        read_force(text, KEY, 0.0)


@given(tokens)
def test_another_key_reads_nothing(token: Token) -> None:
    with pytest.raises(TokenError, match="signature"):
        read_token(signed(token), OTHER_KEY)


@given(experiments, variants, st.integers(0, 2**40))
def test_force_is_read_until_it_expires(experiment: str, variant: str, expires: int) -> None:
    text = sign_force(KEY, experiment, variant, expires)
    assert read_force(text, KEY, expires) == (experiment, variant)
    with pytest.raises(TokenError, match="expired"):
        read_force(text, KEY, expires + 0.5)
    with pytest.raises(TokenError, match="signature"):
        read_force(text, OTHER_KEY, 0)


@given(experiments, variants, st.data())
def test_no_character_of_a_force_may_differ(experiment: str, variant: str, data: st.DataObject) -> None:
    text = sign_force(KEY, experiment, variant, 2_000_000_000)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_characters=text[at]))
    with pytest.raises(TokenError):
        read_force(text[:at] + other + text[at + 1 :], KEY, 0)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "a.b.soon.d", "a.b.1.é", "\ud800.\udfff"]
)
def test_what_is_no_force_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        read_force(text, KEY, 0)


def test_a_token_is_no_force_and_a_force_no_token() -> None:
    token = signed(Token("ranker", 1, "champion", 5, 6, 7, 0))
    with pytest.raises(TokenError):
        read_force(token, KEY, 0)
    with pytest.raises(TokenError):
        read_token(sign_force(KEY, "ranker", "champion", 2_000_000_000), KEY)
