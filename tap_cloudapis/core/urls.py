"""Base URLs as users write them, and query parameters as the services take them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from tap_cloudapis.core.errors import TapError
from tap_cloudapis.core.output import encode


def normalize_url(value: str, setting: str) -> str:
    """Bring a host or URL into the form ``https://host[:port][/prefix]``.

    Args:
        value: A host, a URL, or a URL that ends in ``/api``, ``/api/v2`` or ``/api/v3``.
        setting: The setting it comes from, for the error message.

    Returns:
        The URL without a trailing slash and without the API's own path.

    Raises:
        TapError: When it is no URL, carries credentials, or would send a token unencrypted;
            plain http is for loopback only.
    """
    text = value.strip()
    scheme, separator, rest = text.partition("://") if "://" in text else ("", "", text)
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or re.search(r"\s", text) or parts.username is not None:
        msg = f"{setting} is not a host or a URL like https://cloud.example.com"
        raise TapError(msg)
    loopback = _is_loopback(host)
    scheme = scheme.lower() if separator else ("http" if loopback else "https")
    if scheme != "https" and not (scheme == "http" and loopback):
        msg = f"{setting} must be an https URL: any other would send the token unencrypted"
        raise TapError(msg)
    path = re.sub(r"/api(/v\d+)?$", "", parts.path.rstrip("/"))
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}{f':{port}' if port else ''}{path}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def query_text(params: dict[str, Any]) -> dict[str, str]:
    """Query parameters as text; lists are JSON arrays in one value, as dbt Cloud wants them."""
    return {
        name: encode(value).decode() if isinstance(value, (list, tuple)) else str(value)
        for name, value in params.items()
        if value is not None
    }
