r"""Secrets that are known by their form: user info in URLs, and URLs that are secrets themselves.

A URL is looked for in a whole body, before it is decoded: one search finds it in keys, in values
and in JSON text inside a value, however often its slashes and its ``@`` are escaped. What is put
in the place of a secret needs no escaping, so the body stays the JSON that it was.

A password may hold what should be escaped in a URL. After a host, what looks like a port is
taken for one: of ``https://app:80/pw@host`` nobody can tell that it has a password. Neither a
blank nor a quotation mark is taken for a part of a URL.
"""

from __future__ import annotations

import re
from functools import cache

_AT = r"(?:@|\\++u0040)"
_COLON = r"(?::|(?<!\\)\\++u003[aA])"
_SLASH = r"\\*+/"
#: A character spelled by its number that neither ends a part of a URL nor the URL.
_SPELLED = r"\\++u(?!00(?:[01]|2[023fF]|3[aAcCeEfF]|40|5[cC]))[0-9a-fA-F]{4}"
_USER = rf"(?:[^\s\"\\/?#@:\[<>]|{_SPELLED})"
#: A user without a password: nothing that could be the text around a URL.
_LONE_USER = rf"(?:[\w.~%!$&*+=-]|{_SPELLED})"
_PASSWORD = rf"(?:[^\s\"\\/?#@]|{_SPELLED}|\\++(?![nrtfbu\"/]))"
#: What a password should not hold, as it ends the part of a URL with the host in it.
_ODD = rf"(?:{_SLASH}|[?#]|\\++u00(?:23|2[fF]|3[cCeEfF]|5[cC]))"
_PORT = rf"\d{{1,5}}(?:[?#\"\s]|{_SLASH}|\\++[\"nrtfb]|\\++u00(?:[01]|2[023fF]|3[fF])|$)"
_USER_INFO = (
    rf"(?:(?P<user>{_USER}*(?:{_AT}{_USER}*)*){_COLON}(?!{_PORT})"
    # A tag of an image stands between a colon and an @, too: docker://alpine:3.18@sha256:...
    rf"(?P<password>{_PASSWORD}*(?:{_AT}{_PASSWORD}*)*){_AT}(?!sha\d+:)"
    rf"|(?P<plain_user>{_USER}*){_COLON}(?!{_PORT})"
    rf"(?:{_PASSWORD}|{_ODD}){{1,100}}?(?:{_AT}{_PASSWORD}*)*{_AT}(?!sha\d+:)"
    rf"|(?P<lone_user>{_LONE_USER}+){_AT})"
)
_PATH = rf"(?::\d+)?{_SLASH}"
#: Who knows one of these URLs can post to a channel or start a workflow.
_HOOK = (
    r"(?P<host>(?i:"
    rf"hooks\.slack\.com(?={_PATH})"
    rf"|(?:\w+\.)?discord(?:app)?\.com(?={_PATH}api{_SLASH}(?:v\d+{_SLASH})?webhooks)"
    rf"|outlook\.office(?:365)?\.com(?={_PATH}webhook)"
    rf"|(?:[\w-]++\.){{1,6}}?(?:webhook\.office\.com(?={_PATH})"
    rf"|(?:logic\.azure|api\.powerplatform)\.com(?={_PATH}[^\s\"]{{0,200}}workflows))"
    r"))"
)
_REST = rf"(?::\d+)?(?:[\w.~%?&=:+;@!$*#-]|{_SLASH}|\\++u00(?:2[3-9bB]|3[aAdDfF]|40))*"
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
#: Whether a body may have what the other two find. It begins with a literal character, which
#: lets it run through a body fast, and looks at what follows once.
_MAY_HAVE = re.compile(
    rf"/{_SLASH}[^\s\"/?#@\\:]*+(?:@|\\+u|:(?!{_PORT})|(?<=(?i:\.com))(?:{_ENDS}))".encode()
)
_HTTP = re.compile("https?$", re.IGNORECASE)
#: Passwords that say that the user is the secret.
_NO_PASSWORD = ("", "x-oauth-basic")


@cache
def _finders() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds user info, and what finds hooks: compiled when they are needed, which is rare."""
    user_info = rf"(?P<slashes>{_COLON}{_SLASH}{_SLASH}){_USER_INFO}"
    return re.compile(user_info, re.ASCII), re.compile(rf"(?<=[/@]){_HOOK}{_REST}", re.ASCII)


def without_secret_urls(body: bytes) -> bytes:
    """Hide the secrets of URLs in a JSON body; most bodies have none and are only searched."""
    if _MAY_HAVE.search(body) is None:
        return body
    # Every byte as a character: what is looked for is ASCII, and what else there is stays.
    return hide_secret_urls(body.decode("latin-1")).encode("latin-1")


def hide_secret_urls(text: str) -> str:
    """Hide passwords, tokens that stand for a user, and the paths of hooks.

    Args:
        text: With URLs, in a form that JSON can have.

    Returns:
        ``https://user:***@host/path``, ``https://***@host/path``, ``https://hooks.slack.com/***``.
    """
    if "//" not in text and "/\\" not in text:
        return text
    user_info, hook = _finders()
    return hook.sub(r"\g<host>/***", user_info.sub(_hide_user_info, text))


def _hide_user_info(match: re.Match[str]) -> str:
    if match["lone_user"] is not None:
        scheme = match.string[max(0, match.start() - 5) : match.start()]
        # The user of ssh://git@host is no secret; that of a URL without a password for http is.
        return f"{match['slashes']}***@" if _HTTP.search(scheme) else match[0]
    user, password = match["user"], match["password"]
    if user is None:
        shown = f"{match['plain_user']}:***"
    else:
        shown = "***" if password.lower() in _NO_PASSWORD else f"{user}:***"
    return f"{match['slashes']}{shown}@"
