"""The charts of the page, in the order of what people ask for first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_report.charts.access import ACCESS
from cloudapis_report.charts.actors import ACTORS
from cloudapis_report.charts.changes import CHANGES
from cloudapis_report.charts.delivery import DELIVERY
from cloudapis_report.charts.durations import DURATIONS
from cloudapis_report.charts.flaky import FLAKY
from cloudapis_report.charts.forgotten import FORGOTTEN
from cloudapis_report.charts.freshness import FRESHNESS
from cloudapis_report.charts.now import NOW
from cloudapis_report.charts.outcomes import OUTCOMES
from cloudapis_report.charts.recovery import RECOVERY
from cloudapis_report.charts.run_hours import RUN_HOURS
from cloudapis_report.charts.run_matrix import RUN_MATRIX
from cloudapis_report.charts.waiting import WAITING

if TYPE_CHECKING:
    from cloudapis_report.chart import Chart

CHARTS: tuple[Chart, ...] = (
    NOW,
    RUN_MATRIX,
    OUTCOMES,
    RECOVERY,
    DURATIONS,
    RUN_HOURS,
    WAITING,
    DELIVERY,
    CHANGES,
    FORGOTTEN,
    ACTORS,
    ACCESS,
    FLAKY,
    FRESHNESS,
)
