"""What the catalog tells of a stream beyond what the SDK has in it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib.catalog import CatalogEntry, MetadataMapping
from singer_sdk.streams import RESTStream

from tap_cloudapis.core.paging import Params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_cloudapis.core.facts import Reference


@dataclass(slots=True)
class DescribedEntry(CatalogEntry):
    """An entry of the catalog with the references of the stream; readers of Singer ignore them."""

    references: Sequence[Reference] = ()

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        told = [reference.as_data() for reference in self.references]
        return {**CatalogEntry.to_dict(self), "references": told}


class DescribedStream(RESTStream[Params]):
    """A stream whose catalog entry tells what its columns refer to, and which ones cost extra."""

    #: Columns that nobody gets who does not ask for them, by a catalog or a rule of selection.
    unselected_columns: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def absent_columns(self) -> frozenset[str]:
        """Those of :attr:`unselected_columns` that nobody has asked for: no record has them."""
        return frozenset(n for n in self.unselected_columns if not self.mask["properties", n])

    @property
    def references(self) -> Sequence[Reference]:
        """What the columns refer to."""
        return ()

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's metadata, with the columns that are not selected by default."""
        is_new = self._metadata is None
        metadata = super().metadata
        if is_new and self._tap_input_catalog is None:
            for name in self.unselected_columns:
                metadata["properties", name].selected_by_default = False
        return metadata

    @property
    def _singer_catalog_entry(self) -> CatalogEntry:
        entry = super()._singer_catalog_entry
        told = {field.name: getattr(entry, field.name) for field in fields(entry)}
        return DescribedEntry(**told, references=self.references)
