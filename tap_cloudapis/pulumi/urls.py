"""Addresses in rows: what of them tells nothing to whoever may read the row."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit


def bare(url: Any) -> str | None:
    """A URL without a user, a query and a fragment, which may be secrets.

    Args:
        url: A URL, or an address that git takes (``git@host:path``), which stays.

    Returns:
        ``None`` for nothing, and for what cannot be read as a URL.
    """
    if not isinstance(url, str) or not url.strip():
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def host_of(url: Any) -> str | None:
    """The host of a URL, with its port; ``None`` for what has none."""
    try:
        parts = urlsplit(url.strip() if isinstance(url, str) else "")
    except ValueError:
        return None
    return parts.netloc.rpartition("@")[2] or None
