"""Texts that Vega cuts: none of them is more than text."""

from __future__ import annotations

import pytest

from cloudapis_report.drawing import svg


@pytest.mark.parametrize("before", range(5))
def test_a_text_is_cut_between_characters(before: int) -> None:
    name = "x" * before + "🚀" * 40
    spec = {
        "data": {"values": [{"name": name}]},
        "mark": {"type": "text", "limit": 60},
        "encoding": {"text": {"field": "name"}, "description": {"field": "name"}},
    }
    drawn = svg(spec, "Rockets")
    assert f"{'x' * before}🚀" in drawn
    assert "…" in drawn, "nothing was cut: this test shows nothing"
    assert not any(0xE000 <= ord(character) <= 0xF8FF for character in drawn)
