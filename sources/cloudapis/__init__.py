"""dbt Cloud and Pulumi Cloud: runs, jobs, stacks, updates, access, as Arrow tables."""

from __future__ import annotations

from typing import Any

import dlt


@dlt.source(name="cloudapis", section="cloudapis")
def cloudapis(
    dbt_token: dlt.TSecretStrValue | None = None,
    pulumi_token: dlt.TSecretStrValue | None = None,
    **settings: Any,
) -> Any:
    """The source of tap-cloudapis; see ``tap_cloudapis.dlt.cloudapis``.

    ``dlt init`` asks for a source that is declared here, be tap-cloudapis installed or not.
    """
    from tap_cloudapis.dlt import resources  # noqa: PLC0415

    return resources(dbt_token=dbt_token, pulumi_token=pulumi_token, **settings)
