"""The streams of the tap as a dlt source: ``from tap_cloudapis.dlt import cloudapis``.

It runs the same streams as the tap, in a thread of the pipeline's process. This is the only part of
the tap that needs dlt and pyarrow.
"""

from __future__ import annotations

try:
    from tap_cloudapis.dlt.ending import SyncIncompleteError
    from tap_cloudapis.dlt.source import cloudapis, resources
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] not in ("dlt", "pyarrow"):
        raise
    msg = f"tap_cloudapis.dlt needs {exc.name}: pip install 'tap-cloudapis[dlt]'"
    raise ModuleNotFoundError(msg, name=exc.name) from None

__all__ = ["SyncIncompleteError", "cloudapis", "resources"]
