"""What dlt says of the run that a resource is part of."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.exceptions import PipelineStateNotAvailable, SourceSectionNotAvailable
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract.exceptions import CurrentSourceNotAvailable, CurrentSourceSchemaNotAvailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dlt import Pipeline, Schema


def load_id() -> str | None:
    """The id of the load package; ``None`` where a resource is looked at without a pipeline."""
    try:
        return str(dlt.current.load_package_state()["load_id"])
    except CurrentLoadPackageStateNotAvailable:
        return None


def pipeline() -> Pipeline | None:
    """The pipeline that extracts; ``None`` where there is none."""
    return None if load_id() is None else dlt.current.pipeline()


def extracted(resource: str) -> set[str]:
    """The names of the resources that are extracted together with one."""
    try:
        return {each.name for each in dlt.current.source().resources.extracted}
    except CurrentSourceNotAvailable:
        return {resource}


def state() -> dict[str, Any]:
    """The state of the source; an empty one where nobody keeps it."""
    try:
        return dlt.current.source_state()
    except (PipelineStateNotAvailable, SourceSectionNotAvailable):
        return {}


def schema() -> Schema:
    """The schema that is extracted into."""
    try:
        return dlt.current.source_schema()
    except CurrentSourceSchemaNotAvailable:
        return dlt.Schema("cloudapis")


def known_types() -> dict[str, dict[str, str]]:
    """The types of the columns of each table, in any schema of the pipeline."""
    schemas = [schema()]
    if (running := pipeline()) is not None:
        schemas += [running.schemas[name] for name in running.schemas]
    found: dict[str, dict[str, str]] = {}
    for each in schemas:
        for name, table in each.tables.items():
            columns = table["columns"].items()
            types = {
                column: str(hints["data_type"]) for column, hints in columns if "data_type" in hints
            }
            found.setdefault(name, {}).update(types)
    return found


def adds_ids() -> bool:
    """Whether dlt is told to add ids to rows that come in Arrow tables."""
    return bool(dlt.config.get("normalize.parquet_normalizer.add_dlt_id", bool))


def is_stored(table: str) -> bool:
    """Whether a table has been loaded before."""
    return table in schema().data_table_names(seen_data_only=True)


class _NoJsonAsText(logging.Filter):
    """Keeps back that columns of JSON are texts in Arrow, which dlt says at each start."""

    def __init__(self, resources: Iterable[str]) -> None:
        super().__init__()
        self._resources = frozenset(resources)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log a record."""
        text = str(record.msg)
        resource = text.removeprefix("In resource: ").partition(",")[0]
        return resource not in self._resources or "when merging arrow schema" not in text


def log_less(resources: Iterable[str]) -> None:
    """Have dlt not warn of how columns of JSON come, which is as it should be."""
    logger = logging.getLogger("dlt")
    if not any(isinstance(each, _NoJsonAsText) for each in logger.filters):
        logger.addFilter(_NoJsonAsText(resources))
