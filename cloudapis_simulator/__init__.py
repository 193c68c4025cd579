"""A simulator of the dbt Cloud and Pulumi Cloud APIs on loopback."""

from cloudapis_simulator.world.words import SECRET_MARKER

__all__ = ["SECRET_MARKER"]
