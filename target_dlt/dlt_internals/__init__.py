"""A dlt dataset, kept through dlt's own schema, clients and state documents.

The only module that touches what dlt does not document: how a pipeline keeps its schema in
`_dlt_version`, its state in `_dlt_pipeline_state` and its loads in `_dlt_loads`. The contract
tests hold it against dlt's own pipelines. Follows dlt 1.31 (schema engine 11, state engine 4).
"""

from __future__ import annotations

import logging
import os

# Before dlt starts up: what a loader must not do unless its user asks for it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
# Errors reach the user as one line of the loader's; dlt logs them with their whole stack.
os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
# A run's packages are not kept beside what they were loaded into.
os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
# The target finishes a commit before it ends by a signal, and does so itself.
os.environ.setdefault("RUNTIME__INTERCEPT_SIGNALS", "false")
logging.getLogger("dlt").setLevel(logging.CRITICAL)

import dlt  # noqa: E402
from dlt.common.configuration.exceptions import (  # noqa: E402
    ConfigFieldMissingException,
    ConfigurationException,
)
from dlt.common.destination import (  # noqa: E402
    Destination,
)
from dlt.common.destination.exceptions import (  # noqa: E402
    DestinationUndefinedEntity,
    UnknownDestinationModule,
)
from dlt.common.exceptions import (  # noqa: E402
    MissingDependencyException,
)
from dlt.destinations.exceptions import (  # noqa: E402
    DatabaseException,
)
from dlt.pipeline.pipeline import (  # noqa: E402
    Pipeline,
)

from target_dlt.dlt_internals.dataset import (  # noqa: E402
    STATE_SECTION,
    Dataset,
    one_connection,
)
from target_dlt.dlt_internals.naming import (  # noqa: E402
    Naming,
    load_ids_in_name,
    nested_row_id,
    new_load_id,
    new_row_id,
    normalize_dataset_name,
)
from target_dlt.dlt_internals.pipelines import (  # noqa: E402
    arguments_of,
    drop_staging_twin,
    make_tables,
    open_pipeline,
    open_table,
    takes_files,
    types_not_taken,
    when_completed,
)
from target_dlt.dlt_internals.schema import (  # noqa: E402
    DatasetSchema,
)
from target_dlt.dlt_internals.tables import (  # noqa: E402
    LIST_INDEX,
    LOAD_ID,
    NESTED_COLUMNS,
    PARENT_ID,
    ROOT_ID,
    ROW_ID,
    VALUE,
    KnownTables,
    Table,
    TableColumn,
)
from target_dlt.dlt_internals.versions import count_change  # noqa: E402

__all__ = [
    "LIST_INDEX",
    "LOAD_ID",
    "NESTED_COLUMNS",
    "PARENT_ID",
    "ROOT_ID",
    "ROW_ID",
    "STATE_SECTION",
    "VALUE",
    "ConfigFieldMissingException",
    "ConfigurationException",
    "DatabaseException",
    "Dataset",
    "DatasetSchema",
    "Destination",
    "DestinationUndefinedEntity",
    "KnownTables",
    "MissingDependencyException",
    "Naming",
    "Pipeline",
    "Table",
    "TableColumn",
    "UnknownDestinationModule",
    "arguments_of",
    "count_change",
    "dlt",
    "drop_staging_twin",
    "load_ids_in_name",
    "make_tables",
    "nested_row_id",
    "new_load_id",
    "new_row_id",
    "normalize_dataset_name",
    "one_connection",
    "open_pipeline",
    "open_table",
    "takes_files",
    "types_not_taken",
    "when_completed",
]
