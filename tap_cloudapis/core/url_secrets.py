r"""Secrets that are known by their form: user info in URLs, and URLs that are secrets themselves.

A URL is looked for in a whole body, before it is decoded: one search finds it in keys, in values
and in JSON text inside a value, however often its slashes are escaped. What is put in the place of
a secret needs no escaping, so the body stays the JSON that it was. What spells a colon, a slash or
an ``@`` by its number is none for this search: `redaction` undoes that before.

A password may hold what should be escaped in a URL. After a host, what looks like a port is
taken for one: of ``https://app:80/pw@host`` nobody can tell that it has a password. Neither a
blank nor a quotation mark is taken for a part of a URL. Every character is looked at a fixed
number of times, and no search goes back: a text made to take long does not.
"""

from __future__ import annotations

import re

_SLASH = r"\\*+/"
#: Where the text around a URL begins for certain: a blank or a quotation mark, in any spelling.
_AROUND = r"[\s\"]|(?<!\\)\\++(?:[nrtfb\"]|u00(?:[01]|2[02]))"
#: After which no digits of a host's colon go on: they are a port.
_PORT_END = r"(?:\Z|[;,)>\]}|&']|\\++u00(?:2[67]|3[eE]))"
_START = re.compile(rf":{_SLASH}{_SLASH}")
#: Up to the text around a URL; and up to its path, too.
_WORD = re.compile(
    r"[^\s\"\\]*+(?:\\++(?:[^nrtfb\"\\u]|u(?!00(?:[01]|2[02])))[^\s\"\\]*+)*+", re.ASCII
)
_AUTHORITY = re.compile(
    r"[^\s\"\\/?#]*+(?:\\++(?:[^nrtfb\"\\u/?#]|u(?!00(?:[01]|2[02])))[^\s\"\\/?#]*+)*+", re.ASCII
)
_PORT = re.compile(rf"(?:\d{{1,5}}|(?:\$\{{?|\{{+|<)\w*(?i:port)\w*[}}>]*){_PORT_END}", re.ASCII)
#: What no user has in its name: it is a placeholder, or text behind a URL in angle brackets.
_NO_USER = re.compile(r"[<>\[]|\\u003[cCeE]")
#: Users without a password: nothing that could be the text around a URL.
_LONE_USER = re.compile(r"(?:[\w.~%!$&*+=-]++@)++", re.ASCII)
_PLACEHOLDER = re.compile(r"\$[A-Z_]+@")
_FIRST_FOLDER = re.compile(r"[^\s\"\\/?#@]*+\\*+/([^\s\"\\/?#]++)")
#: An @ that ends no user info, as in docker://alpine:3.18@sha256:...
_DIGEST = re.compile(r"@sha\d+:", re.ASCII)
#: The schemes of images, and versions of these: a tag stands where others have a password.
_IMAGES = ("oci", "docker")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+(?:[-+][\w.-]+)?", re.ASCII)
#: Passwords that say that the user is the secret.
_NO_PASSWORD = ("", "x-oauth-basic")

_PATH = rf"(?::\d+)?{_SLASH}"
#: Who knows one of these URLs can post to a channel or start a workflow.
_HOOK = (
    r"(?P<host>[/@](?i:"
    rf"hooks\.slack\.com(?={_PATH}\w)"
    rf"|(?:\w++\.)?discord(?:app)?\.com(?={_PATH}api{_SLASH}(?:v\d+{_SLASH})?webhooks{_SLASH}\w)"
    rf"|outlook\.office(?:365)?\.com(?={_PATH}webhook)"
    rf"|(?:[\w-]++\.){{1,6}}?(?:webhook\.office\.com(?={_PATH}\w)"
    rf"|(?:logic\.azure|api\.powerplatform)\.com(?={_PATH}[^\s\"]{{0,200}}workflows))"
    r"))"
)
_REST = (
    r"(?::\d+)?[\w.~%?&=:+;@!$*#/-]*+"
    r"(?:\\++(?:/|u00(?:2[3-9bB]|3[aAdDfF]|40))[\w.~%?&=:+;@!$*#/-]*+)*+"
)
_HOOKS = re.compile(_HOOK + _REST, re.ASCII)
#: How the hosts of these end.
_HOOK_HOSTS = (
    "hooks.slack.com",
    "discord.com",
    "discordapp.com",
    "office.com",
    "office365.com",
    "logic.azure.com",
    "api.powerplatform.com",
)
_ENDS = "|".join(f"(?<=(?i:{re.escape(host)}))" for host in _HOOK_HOSTS)
#: Whether a body may have what the others find. It begins with a literal character, which lets it
#: run through a body fast, and looks at what follows once.
_MAY_HAVE = re.compile(
    rf"/{_SLASH}[^\s\"/?#@\\:]*+"
    rf"(?:@|\\++[^nrtfb\"/\\]|:(?!\d{{1,5}}(?:[/?#;,)>\]}}|&']|{_AROUND}|{_SLASH}|$))"
    rf"|(?<=(?i:\.com))(?:{_ENDS}))".encode()
)


def without_secret_urls(body: bytes) -> bytes:
    """Hide the secrets of URLs in a JSON body; most bodies have none and are only searched."""
    if _MAY_HAVE.search(body) is None:
        return body
    # Every byte as a character: what is looked for is ASCII, and what else there is stays.
    text = body.decode("latin-1")
    hidden = hide_secret_urls(text)
    return body if hidden is text else hidden.encode("latin-1")


def hide_secret_urls(text: str) -> str:
    """Hide passwords, tokens that stand for a user, and the paths of hooks.

    Args:
        text: With URLs, in a form that JSON can have.

    Returns:
        ``https://user:***@host/path``, ``https://***@host/path``, ``https://hooks.slack.com/***``.
    """
    if "//" not in text and "/\\" not in text:
        return text
    hidden = _UserInfo(text).hidden()
    return _HOOKS.sub(r"\g<host>/***", hidden)


class _UserInfo:
    """The user info of all the URLs in a text, from the first one to the last.

    Args:
        text: With URLs, in a form that JSON can have.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        # Where the next @ is, from the URL that is looked at.
        self._at = -1

    def hidden(self) -> str:
        """The text with stand-ins for what is secret."""
        text = self._text
        pieces: list[str] = []
        done = passed = word_end = 0
        for start in _START.finditer(text):
            begin = start.end()
            if begin < passed:
                continue
            if self._at < begin:
                self._at = _next_at(text, begin)
            if word_end < begin:
                word_end = _end(_WORD, text, begin)
            if self._at >= word_end:
                passed = word_end
                continue
            found = self._after(start.start(), begin)
            if found is not None:
                shown, end = found
                pieces += (text[done:begin], shown)
                done = passed = end
        return "".join((*pieces, text[done:])) if pieces else text

    def _after(self, colon: int, begin: int) -> tuple[str, int] | None:
        """Find what to show of the user info that begins here, and where its @ is."""
        stop = _end(_AUTHORITY, self._text, begin)
        authority = self._text[begin:stop]
        user, found, behind = authority.partition(":")
        if found and _PORT.match(behind):
            return self._lone_user(colon, begin) if "@" in user else None
        at = _last_at(authority)
        if at < 0:
            # An odd password ends what should be the authority.
            if not found or "@" in authority or _NO_USER.search(user):
                return None
            return f"{user}:***", self._later_at()
        if not found or len(user) > at:
            return self._lone_user(colon, begin)
        password = authority[len(user) + 1 : at]
        is_tag = _VERSION.fullmatch(password) and self._scheme(colon).endswith(_IMAGES)
        if is_tag or _NO_USER.search(user):
            return None
        shown = "***" if password.lower() in _NO_PASSWORD else f"{user}:***"
        return shown, begin + at

    def _later_at(self) -> int:
        """The last @ of a password that holds what ends an authority."""
        stop = _end(_AUTHORITY, self._text, self._at)
        return self._at + _last_at(self._text[self._at : stop])

    def _lone_user(self, colon: int, begin: int) -> tuple[str, int] | None:
        """The user of ssh://git@host is no secret; that of a URL for http may be a token."""
        if not self._scheme(colon).endswith(("http", "https")):
            return None
        users = _LONE_USER.match(self._text, begin)
        if users is None:
            return None
        # Addresses to clone from name the account twice: https://acme@dev.azure.com/acme/...
        folder = _FIRST_FOLDER.match(self._text, users.end())
        named_twice = folder is not None and users[0][:-1].lower() == folder[1].lower()
        if named_twice or _PLACEHOLDER.fullmatch(users[0]):
            return None
        return "***", users.end() - 1

    def _scheme(self, colon: int) -> str:
        """The end of what stands in front of a colon, as long as the schemes that matter."""
        return self._text[max(0, colon - 6) : colon].lower()


def _end(pattern: re.Pattern[str], text: str, begin: int) -> int:
    found = pattern.match(text, begin)
    return begin if found is None else found.end()


def _next_at(text: str, begin: int) -> int:
    at = text.find("@", begin)
    while at >= 0 and _DIGEST.match(text, at):
        at = text.find("@", at + 1)
    return at if at >= 0 else len(text)


def _last_at(authority: str) -> int:
    """Where user info ends; -1 when there is none."""
    at = authority.rfind("@")
    while at >= 0 and _DIGEST.match(authority, at):
        at = authority.rfind("@", 0, at)
    return at
