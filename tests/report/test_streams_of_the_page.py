"""What `docs/streams.md` says the page needs is what the models read and the charts ask for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cloudapis_report.charts import CHARTS

ROOT = Path(__file__).parents[2]


def test_the_choice_for_the_page_has_all_that_the_models_read() -> None:
    text = (ROOT / "docs/streams.md").read_text("utf-8")
    _, choice = text.split("**The page**")
    words, block, _ = choice.split("```", 2)
    chosen = [
        line.removesuffix(".*") for line in yaml.safe_load(block.removeprefix("yaml"))["select"]
    ]
    sources = (ROOT / "transform/models/staging/_sources.yml").read_text("utf-8")
    (source,) = yaml.safe_load(sources)["sources"]
    assert sorted(chosen) == sorted(table["name"] for table in source["tables"])
    # What is not selected by default is named, with what it is for.
    by_default = re.compile(r"\| Selected by default \| yes \|")
    pages = {name: (ROOT / f"docs/streams/{name}.md").read_text("utf-8") for name in chosen}
    beside = {name for name, page in pages.items() if not by_default.search(page)}
    assert beside == set(re.findall(r"`(\w+)`", words)) - {
        *("dbt_group_permissions", "dbt_runs", "audit"),
    }
    assert beside >= {name for chart in CHARTS for name in chart.needs}
