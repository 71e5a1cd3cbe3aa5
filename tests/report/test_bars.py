"""Bars of the page of levers: as long as their values, in groups by layer or with their names."""

from __future__ import annotations

import math
import re

import pytest

from kathrine.report.bars import BOTTOM, HEIGHT, NAMES, TOP, WIDTH, Bars, axis_of, bars_html

RECT = re.compile(
    r'<rect class="(column|below)[^"]*" x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"><title>([^<]*)<'
)


def drawn(chart: Bars) -> dict[str, tuple[str, float, float, float, float]]:
    """By what is told on hovering: kind, x, y, width and height."""
    return {found[6]: (found[1], *map(float, found.groups()[1:5])) for found in RECT.finditer(bars_html(chart))}


def test_columns_are_as_high_as_their_values_and_stand_side_by_side() -> None:
    groups = {str(layer): {"attention": 1.0 + layer, "mlp": -0.5, "norms": None} for layer in range(4)}
    chart = Bars("talker, by layer", groups, ["attention", "mlp", "norms"], "talker")
    found = drawn(chart)
    assert len(found) == 8  # what is missing is a gap
    axis = axis_of([4.0, -0.5])
    tall = HEIGHT - TOP - BOTTOM
    ground = TOP + tall * (1 - axis.at(0.0))
    for layer in range(4):
        kind, x, y, width, height = found[f"talker {layer} attention: {layer + 1}"]
        assert kind == "column" and height == pytest.approx(tall * (axis.at(1.0 + layer) - axis.at(0.0)), abs=0.1)
        assert y + height == pytest.approx(ground, abs=0.15)
        _, beside, below, _, _ = found[f"talker {layer} mlp: -0.5"]
        assert beside >= x + width and below == pytest.approx(ground, abs=0.1)
    html = bars_html(chart)
    assert all(name in html for name in ("attention", "mlp", "norms")) and "logarithmic" not in html


def test_many_layers_keep_inside_the_picture() -> None:
    groups = {str(layer): {"a": 1.0, "b": 2.0, "c": 3.0} for layer in range(28)}
    places = [(x, width) for _, x, _, width, _ in drawn(Bars("t", groups, ["a", "b", "c"], "talker")).values()]
    assert len(places) == 84 and all(width >= 0.8 and 0 <= x <= WIDTH - width for x, width in places)
    ends = [x + width for x, width in places]
    assert all(begin >= end - 0.11 for end, (begin, _) in zip(ends, places[1:], strict=False))


def test_named_bars_have_their_values_beside_them() -> None:
    chart = Bars(
        "single pieces", {"text_projection": {"one": 2.0}, "codec_head": {"one": 1.0}, "x": {"one": None}}, ["one"]
    )
    found, html = drawn(chart), bars_html(chart)
    long, short = found["text_projection: 2"], found["codec_head: 1"]
    assert long[3] == pytest.approx(2 * short[3], abs=0.2) and long[1] == short[1] == NAMES
    assert re.findall(r">([^<>]+)</text>", html) == ["text_projection", "2", "codec_head", "1", "x", "-"]


def test_far_apart_values_are_on_a_logarithmic_axis_and_what_is_not_above_0_is_a_mark() -> None:
    chart = Bars("single pieces", {"a": {"one": 1e-6}, "b": {"one": 1e-2}, "c": {"one": -1.0}}, ["one"])
    found = drawn(chart)
    assert "logarithmic" in bars_html(chart) and found["a: 1e-6"][3] < found["b: 0.01"][3]
    assert found["c: -1"][0] == "below"
    axis = axis_of([1e-6, 1e-2])
    assert axis.log and 0 < axis.at(1e-6) < axis.at(1e-4) < axis.at(1e-2) <= 1
    assert axis.at(1e-4) - axis.at(1e-5) == pytest.approx(axis.at(1e-3) - axis.at(1e-4))
    signed = Bars("cosines", chart.groups, ["one"], signed=True)
    assert "logarithmic" not in bars_html(signed) and drawn(signed)["c: -1"][0] == "column"
    assert not axis_of([1e-6, -1.0, -2.0]).log  # most are below 0


def test_nothing_measured_is_no_picture_and_names_are_escaped() -> None:
    assert bars_html(Bars("t", {"a": {"one": None}, "b": {"one": math.nan}}, ["one"])) == ""
    assert "<script>" not in bars_html(Bars("<script>", {"<script>": {"one": 1.0}}, ["one"]))
