"""URLs with user info, and URLs that are secrets: hidden in every spelling that JSON allows."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tap_cloudapis.core.redaction import keep_secret, redact_body
from tap_cloudapis.core.url_secrets import hide_secret_urls, without_secret_urls
from tests.core.test_redaction import _own_secrets

__all__ = ["_own_secrets"]

HIDDEN = [
    ("https://deploy:PW@git.example.com/x", "https://deploy:***@git.example.com/x"),
    ("postgres://app:PW@db/app", "postgres://app:***@db/app"),
    (
        "postgresql+psycopg2://app:PW@db:5432/app?x=1",
        "postgresql+psycopg2://app:***@db:5432/app?x=1",
    ),
    ("jdbc:mysql://app:PW@db/app", "jdbc:mysql://app:***@db/app"),
    ("redis://:PW@cache:6379/0", "redis://:***@cache:6379/0"),
    ("ssh://git:PW@host/x", "ssh://git:***@host/x"),
    ("HTTPS://u:PW@h/", "HTTPS://u:***@h/"),
    ("https://user%40corp:PW@h/", "https://user%40corp:***@h/"),
    ("mongodb+srv://ü:pässword@h1,h2/x", "mongodb+srv://ü:***@h1,h2/x"),
    ("https://me@corp.example:PW@h/", "https://me@corp.example:***@h/"),
    # The user is the secret.
    ("https://ghp_abc@host:8080/x", "https://***@host:8080/x"),
    ("https://ghp_abc@host", "https://***@host"),
    ("http://ghp_abc@host:80/x", "http://***@host:80/x"),
    ("git+https://ghp_abc@host/x", "git+https://***@host/x"),
    ("https://ghp_abc:x-oauth-basic@host/x", "https://***@host/x"),
    ("https://ghp_abc:X-OAuth-Basic@host/x", "https://***@host/x"),
    ("https://ghp_abc:@host/x", "https://***@host/x"),
    ("https://me@corp.example@host/x", "https://***@host/x"),
    (
        "https://ghp_abc@dev.azure.com/acme/proj/_git/repo",
        "https://***@dev.azure.com/acme/proj/_git/repo",
    ),
    ("https://ghp_abc@host:80,x@y", "https://***@host:80,x@y"),
    # Passwords with what should be escaped.
    ("https://u:p%40s:s@h/x", "https://u:***@h/x"),
    ("https://u:p@ss@h/x", "https://u:***@h/x"),
    ("https://u:p/w@h/x", "https://u:***@h/x"),
    ("https://u:p/@w@h/x", "https://u:***@h/x"),
    ("https://u:p#w?@h/x", "https://u:***@h/x"),
    ("https://u:<p>@h/x", "https://u:***@h/x"),
    ("https://u:p\\w@h/x", "https://u:***@h/x"),
    ("https://u:1234@h", "https://u:***@h"),
    ("https://u:12ab@h", "https://u:***@h"),
    ("https://u:443:PW@h", "https://u:***@h"),
    ("https://u:80!PW@h", "https://u:***@h"),
    ("https://u:$PORT@h", "https://u:***@h"),
    ("https://u:" + "p" * 5000 + "/w@h/x", "https://u:***@h/x"),
    ("https://u:" + "p/" * 5000 + "w@h/x", "https://u:***@h/x"),
    ("https://u:1.0@h", "https://u:***@h"),
    ("docker://u:PW@r.io:3.18@sha256:0123", "docker://u:***@r.io:3.18@sha256:0123"),
    # Within other text.
    (
        "see https://a:PW@h, then <https://c:PW@e/f>.",
        "see https://a:***@h, then <https://c:***@e/f>.",
    ),
    ("https://a:PW@h/@user?q=a@b", "https://a:***@h/@user?q=a@b"),
    ("a b\nhttps://u:PW@h\n", "a b\nhttps://u:***@h\n"),
    ("url='https://u:PW@h'", "url='https://u:***@h'"),
    ("https://x/,https://u:PW@h,https://v:PW@k/", "https://x/,https://u:***@h,https://v:***@k/"),
    # Hooks.
    ("https://hooks.slack.com/services/T0/B0/PW", "https://hooks.slack.com/***"),
    ("https://Hooks.Slack.com/workflows/T0/PW", "https://Hooks.Slack.com/***"),
    ("(https://discord.com/api/webhooks/12/P-W) x", "(https://discord.com/***) x"),
    ("https://discordapp.com/api/v10/webhooks/12/PW", "https://discordapp.com/***"),
    ("https://ptb.discord.com/api/webhooks/12/PW", "https://ptb.discord.com/***"),
    ("https://acme.webhook.office.com/webhookb2/a@b/c/PW", "https://acme.webhook.office.com/***"),
    ("https://outlook.office.com/webhook/a@b/c/PW", "https://outlook.office.com/***"),
    (
        "https://prod-00.westus.logic.azure.com:443/workflows/ab/triggers/x?sp=%2Fa&sig=PW_a-b",
        "https://prod-00.westus.logic.azure.com/***",
    ),
    ("https://u:PW@hooks.slack.com/services/T0", "https://u:***@hooks.slack.com/***"),
]
KEPT = [
    "ssh://git@github.com/org/repo",
    "git@github.com:org/repo.git",
    "git+ssh://git@github.com:org/repo.git@main",
    "ssh://git@host:7999/org/repo@main",
    "postgres://app@db/app",
    "someone@example.com",
    "mailto:someone@example.com",
    "Name <a@b.example>, https://c.example/d",
    "https://host/@user",
    "https://host/a:b@c",
    "https://host?q=a@b",
    "https://host#a:b@c",
    "https://host:8080/@user",
    "https://host:8080?user=a@b",
    "http://[::1]:80/@user",
    "https://@host/x",
    "https://example.com:8080\nCo-authored-by: x <a@b>",
    "https://example.com\nx@b.example",
    "docker://alpine:3.18@sha256:0123",
    "file:///C:/Users/a",
    "https://u:***@h/x",
    "https://***@h/x",
    "jdbc:sqlserver://h:1433;user=me@acme.com;database=x",
    "[http://wiki:8080](mailto:ops@acme.com)",
    "<http://wiki:8080>;ops@acme.com",
    "(http://wiki:8080)ops@x.com",
    "'http://wiki:8080'ops@x.com",
    "{http://wiki:8080}ops@x.com",
    "http://wiki:8080|ops@x.com",
    "proxy=http://proxy:3128;noproxy=me@x",
    "http://h:8080&mail=ops@x.com",
    "mongodb://h1:27017,h2:27017/?x&user=a@b",
    "http://localhost:8000,http://localhost:9000/@x",
    "kafka://h1:9092,h2:9092/x@y",
    "http://$HOST:$PORT/path?email=a@b.c",
    "http://${HOST}:${HTTP_PORT}/path?email=a@b.c",
    "https://{host}:{port}/a@b",
    "https://host:<port>/a@b",
    "oci://r:1.0@sha512:0123",
    "oci://r:1.0@x",
    "docker://r:v1.2.3-rc.1@x",
    "oci://r:tag@sha256:0123/x@y",
    "https://acme@dev.azure.com/acme/proj/_git/repo",
    "https://acme@bitbucket.org/Acme/repo.git",
    "https://$TOKEN@host/x",
    "https://${TOKEN}@host/x",
    "https://hooks.slack.com",
    "https://hooks.slack.com/",
    "see https://hooks.slack.com/, then ask",
    "https://discord.com/api/webhooks",
    "https://discord.com/api/webhooks/",
    "https://discord.com/invite/x",
    "https://acme.sharepoint.com/x",
    "https://portal.azure.com/#workflows",
]


def spelled(text: str, depth: int, *, slashes: bool, ats: bool, plain: bool) -> str:
    """A text as JSON text, within JSON text and so on, as encoders differ in what they escape."""
    for _ in range(depth):
        text = json.dumps(text, ensure_ascii=not plain)
        text = text.replace("/", "\\/") if slashes else text
        for character in "@&:pPz" if ats else "":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def read(body: bytes, depth: int) -> Any:
    text: Any = body.decode()
    for _ in range(depth):
        text = json.loads(text)
    return text


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("ats", [True, False])
@pytest.mark.parametrize("slashes", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_in_every_spelling(depth: int, slashes: bool, ats: bool, plain: bool) -> None:
    for text, expected in [*HIDDEN, *((text, text) for text in KEPT)]:
        if "\\" in text and depth > 1:
            continue  # nobody can tell an odd character from the escaping of what surrounds it
        body = spelled(text, depth, slashes=slashes, ats=ats, plain=plain).encode()
        assert read(redact_body(body), depth) == expected


@pytest.mark.parametrize(("text", "expected"), HIDDEN)
def test_what_is_hidden_stays_so(text: str, expected: str) -> None:
    assert hide_secret_urls(text) == hide_secret_urls(expected) == expected


def test_text_with_numbers_that_hide_nothing_stays_as_it_is() -> None:
    texts = ["\\u003a is a colon", "https://u:PW@h", "\\\\u0040", "C:\\u0041"]
    body = json.dumps(texts).encode()
    assert json.loads(redact_body(body)) == [texts[0], "https://u:***@h", *texts[2:]]


parts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "https://",
        "://",
        "@",
        ":",
        "/",
        "\\",
        '"',
        "u:p@h",
        "hooks.slack.com/services/T",
        "\n",
        "443",
    ]
)
texts = st.lists(parts, max_size=8).map("".join)
values = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_a_body_stays_json(value: Any) -> None:
    found = json.loads(without_secret_urls(json.dumps(value).encode()))
    if "//" not in json.dumps(value):
        assert found == value


letters = st.characters(
    min_codepoint=33, exclude_categories=["C", "Z"], exclude_characters='"\\/?#'
)


@given(st.text(letters), st.booleans())
def test_no_password_is_left(password: str, plain: bool) -> None:
    """Any password but one with what ends a URL, or its part with the host in it."""
    assume(not re.match(r"\d{1,5}[;,)>\]}|&']", password))
    url = f"https://app:{password}SECRET@db.example/x"
    found = json.loads(without_secret_urls(json.dumps(url, ensure_ascii=not plain).encode()))
    assert found == "https://app:***@db.example/x"


@pytest.mark.parametrize(
    "text",
    [
        "//a:" * 20_000,
        "://a:b" * 20_000,
        "https://" + "a" * 100_000,
        "https://a:" + "\\" * 100_000,
        "://u:" + "a@" * 50_000,
        "//x.logic.azure.com/" * 5_000,
        "//" + "a." * 50_000,
        "x://u:p@h " + "//:" * 30_000,
        "://a:" * 20 + "@sha1:" * 20_000,
        "x://u:p@h " + "://a@b:" * 20_000,
        "x://u:p@h :" + "\\\\/" * 50_000,
        "x://u:p@h " + "\\u003a" * 20_000,
        "https://u:" + "/@sha1:" * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_made_to_take_long_does_not(text: str) -> None:
    """A search that goes back and forth would take hours, and the test with it."""
    body = json.dumps(text).encode()
    assert json.loads(without_secret_urls(body))


@pytest.mark.parametrize(
    "text",
    ["x://u:p@h https://{}", "https://u:{}@h", "https://u:/{}@h", "https://{}:p@h", "TOKEN-1 {}"],
)
def test_a_long_text_takes_no_memory_for_each_character(text: str) -> None:
    keep_secret(["TOKEN-1"])
    body = json.dumps(text.format("a" * 1_000_000)).encode()
    tracemalloc.start()
    try:
        assert redact_body(body) != body
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body)
