"""Where syncs have ended, in dlt's state: it is committed with the load package of their rows.

Bookmarks are kept in the state of the resource that they are of, so that what dlt resets with a
resource (``refresh``, ``write_disposition="replace"``, ``dlt pipeline ... drop``) begins anew. What
belongs to no resource is in the state of the source.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.output import encode
from tap_cloudapis.core.state import BOOKMARKS_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_RESOURCES, _BOOKMARK, _OTHERS = "resources", "bookmark", "others"


def read_progress(state: Mapping[str, Any]) -> dict[str, Any]:
    """Make the state of the tap of the state of the source."""
    bookmarks = dict(state.get(_OTHERS, {}))
    for name, own in state.get(_RESOURCES, {}).items():
        if _BOOKMARK in own:
            bookmarks[name] = own[_BOOKMARK]
    kept = {name: value for name, value in state.items() if name not in (_RESOURCES, _OTHERS)}
    copied: dict[str, Any] = json.loads(encode({**kept, BOOKMARKS_KEY: bookmarks}))
    return copied if bookmarks else {}


def write_progress(
    state: dict[str, Any], progress: Mapping[str, Any], resources: Collection[str]
) -> None:
    """Keep the state of the tap in the state of the source.

    Args:
        state: The state of the source; changed in place.
        progress: The state of the tap.
        resources: The names of all resources.
    """
    copied: dict[str, Any] = json.loads(encode(progress))
    found = copied.pop(BOOKMARKS_KEY, {})
    bookmarks = {name: bookmark for name, bookmark in found.items() if bookmark}
    state.update(copied)
    state[_OTHERS] = {name: mark for name, mark in bookmarks.items() if name not in resources}
    own = state.setdefault(_RESOURCES, {})
    for name in resources:
        if name in bookmarks:
            own.setdefault(name, {})[_BOOKMARK] = bookmarks[name]
        elif name in own:
            own[name].pop(_BOOKMARK, None)
