from __future__ import annotations

import base64
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.clock import SystemClock
from bluegreen.redact import REDACTED, Redactor, looks_secret, plain, secrets_of

_LETTERS = string.ascii_letters + string.digits + "+/=-_.!$%&*"
secrets = st.text(_LETTERS, min_size=8, max_size=60).filter(lambda text: text.strip(".") != "")
around = st.text(st.characters(codec="utf-8"), max_size=80)


def squeezed(text: str) -> str:
    return "".join(plain(text).split())


@given(secret=secrets, before=around, after=around)
def test_planted_secret_never_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).text(before + secret + after)


@given(secret=secrets, before=around, after=around, data=st.data())
def test_secret_broken_over_lines_and_colours_never_survives(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    breaks = st.sampled_from(["", "", "\n", "\r\n", "\n    ", "\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\u200b"])
    broken = "".join(character + data.draw(breaks) for character in secret)
    assert secret not in squeezed(Redactor([secret]).text(f"{before}\n{broken}\n{after}").replace(REDACTED, "\0"))


@given(secret=secrets)
@pytest.mark.parametrize(
    "encode",
    [
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: repr({"value": secret}),
    ],
    ids=["url", "base64", "repr"],
)
def test_encoded_secret_never_survives(secret: str, encode: object) -> None:
    encoded = encode(secret)  # type: ignore[operator]
    shown = Redactor([secret]).text(f"sent {encoded}")
    assert encoded not in shown
    assert secret not in shown


@given(secret=secrets, cut=st.integers(1, 60), noise=st.text("x \n", max_size=300))
def test_secret_whose_beginning_was_cut_off_leaves_no_remnant_in_the_tail(secret: str, cut: int, noise: str) -> None:
    remnant = secret[min(cut, len(secret) - 4) :]
    lines = Redactor([secret]).tail(f"{remnant} shown\n{noise}\nlast line", cut=True, lines=50, size=1000)
    assert not any(remnant in line for line in lines) or remnant in f"{noise}\nlast line"


def test_secret_that_was_only_half_printed_is_hidden_too() -> None:
    assert Redactor(["hunter2-and-a-long-one"]).text("sending hunter2-and-a") == f"sending {REDACTED}"


def test_lines_stay_lines_around_a_secret_that_spans_them() -> None:
    assert Redactor(["abcdefghijkl"]).text("one\nabcdef\nghijkl\ntwo").split("\n") == ["one", REDACTED, "", "two"]


def test_secret_inside_a_longer_secret_does_not_shield_the_rest() -> None:
    assert Redactor(["inner-secret", "outer-inner-secret-rest"]).text("outer-inner-secret-rest") == REDACTED


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("key AKIAIOSFODNN7EXAMPLE used", "key", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc.def", "Authorization", "abc.def"),
        ("> authorization: Basic dXNlcjpwYXNz", "authorization", "dXNlcjpwYXNz"),
        ('{"Authorization": "token xyz"}', "Authorization", "xyz"),
        ("postgres://app:hunter2@db:5432/orders", "db:5432/orders", "hunter2"),
        ("https://token123@github.com/x", "github.com/x", "token123"),
        ("redis://:p%40ss@cache", "cache", "p%40ss"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key", "wJalrXUtnFEMI"),
        ("DB_PASSWORD=swordfish done", "done", "swordfish"),
        ('"client_secret": "swordfish", "id": 1', '"id": 1', "swordfish"),
        ("GET /x?X-Amz-Signature=0badc0de&a=1", "a=1", "0badc0de"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ ok", "ok", "eyJzdWIiOiIx"),
        ("ghp_abcdefghijklmnopqrstuvwxyz012345 pushed", "pushed", "ghp_abc"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nafter",
            "after",
            "MIIE",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\ncut off", "", "MIIE"),
        ("Set-Cookie: session=42; Path=/", "Set-Cookie", "42"),
    ],
)
def test_common_credentials_are_known_by_their_shape(text: str, kept: str, gone: str) -> None:
    for shown in (Redactor().text(text), Redactor().text(f"\x1b[1m{text[:3]}\x1b[0m{text[3:]}")):
        assert kept in shown
        assert gone not in shown
        assert REDACTED in shown


@pytest.mark.parametrize(
    "text",
    [
        "14 passed in 2.1 s",
        "GET /health → 200 in 12 ms (3/3)",
        '$.version is "1.9", expected "2.0"',
        "see https://example.com/a@b and mail me@example.com",
        "tokens: 3",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert Redactor(["swordfish"]).text(text) == text


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PGPASSWORD", "api-key", "SENTRY_DSN"])
def test_name_of_a_secret_is_recognised(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PATH", "PWD", "OLDPWD", "HOME", "KEYBOARD", "SSH_AUTH_SOCK", "TOKEN_FILE", "TAG"])
def test_name_of_something_public_is_not(name: str) -> None:
    assert not looks_secret(name)


def test_value_taken_from_the_environment_is_hidden_unless_the_deployment_tells_it_anyway() -> None:
    used = {"TAG": "2.0.1-rc3", "HOOK_URL": "https://chat.example/T000/B000"}
    assert secrets_of({}, used, public=['{"app": "registry/orders:2.0.1-rc3"}']) == ("https://chat.example/T000/B000",)


def test_values_that_are_everyday_words_do_not_blot_out_every_text() -> None:
    assert secrets_of({"AWS_SECRET_ACCESS_KEY": "testing", "API_TOKEN": "1", "DB_PASSWORD": "true"}) == ()
    redactor = Redactor(secrets_of({"DB_PASSWORD": "word"}))
    assert redactor.text("words and passwords, the word") == f"words and passwords, the {REDACTED}"


def test_ansi_codes_and_control_characters_are_removed() -> None:
    assert Redactor().text("a\x1b[2Jb\x1b]8;;http://x\x1b\\c\x07\x00d\r\ne") == "abcd\ne"


def test_tail_keeps_the_last_lines_within_its_size() -> None:
    lines = Redactor().tail("\n".join(f"line {n}" for n in range(1000)), cut=False, lines=3, size=10_000)
    assert lines == ("line 997", "line 998", "line 999")
    assert Redactor().tail("a" * 50 + "\n" + "b" * 10, cut=False, lines=3, size=20) == ("b" * 10,)
    assert Redactor().tail("", cut=False, lines=3, size=20) == ()


def test_a_hundred_kilobytes_with_twenty_secrets_take_less_than_a_second() -> None:
    redactor = Redactor([f"secret-number-{n}-{'z' * 30}" for n in range(20)])
    text = ("a line of output from a hook, key: value, https://x.example/path\n" * 2000) + ("a" * 50_000)
    clock = SystemClock()
    began = clock.monotonic()
    assert redactor.text(text)
    assert clock.monotonic() - began < 1.0
