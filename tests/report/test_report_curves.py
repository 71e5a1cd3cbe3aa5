"""Line charts: what is drawn, and that nothing that matters is thinned out."""

from __future__ import annotations

import math
import re

import pytest

from kathrine.report.curves import Chart, Line, chart_html, downsampled, linear_ticks, log_ticks, short

NAN = float("nan")


def chart(*points: tuple[float, float], **more: object) -> str:
    return chart_html(Chart("Loss", [Line("loss", points)], **more))  # type: ignore[arg-type]


def test_few_points_are_kept_as_they_are() -> None:
    points = [(1.0, 2.0), (2.0, NAN), (3.0, 1.0)]
    assert downsampled(points, 400) is not points
    assert str(downsampled(points, 400)) == str(points)


def test_extremes_ends_and_order_survive_thinning() -> None:
    points = [(float(step), math.sin(step / 50)) for step in range(10_000)]
    points[4321] = (4321.0, 99.0)
    points[7001] = (7001.0, -99.0)
    thin = downsampled(points, 400)
    assert len(thin) <= 400
    assert {points[0], points[-1], (4321.0, 99.0), (7001.0, -99.0)} <= set(thin)
    assert thin == sorted(thin) and set(thin) <= set(points)


def test_a_long_stretch_without_numbers_stays_a_gap() -> None:
    points = [(float(step), NAN if 3000 <= step < 6000 else 1.0) for step in range(9000)]
    gaps = [x for x, y in downsampled(points, 200) if math.isnan(y)]
    assert gaps and min(gaps) >= 3000 and max(gaps) < 6000
    drawn = chart(*points)
    assert drawn.count("<polyline") == 2


def test_points_stand_where_their_values_are() -> None:
    drawn = chart((0.0, 0.0), (5.0, 10.0), (10.0, 5.0))
    (line,) = re.findall(r'polyline class="line c0 d0" points="([^"]+)"', drawn)
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, one.split(","))) for one in line.split()]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=0.4), "the y axis is linear and points upwards"


def test_nothing_measured_draws_nothing() -> None:
    assert chart() == "" and chart((1.0, NAN)) == ""


def test_a_single_point_and_a_constant_are_drawn() -> None:
    assert "<circle" in chart((3.0, 1.5))
    flat = chart((1.0, 2.0), (2.0, 2.0))
    assert "<polyline" in flat and "nan" not in flat.lower() and "inf" not in flat


def test_a_logarithmic_axis_only_where_values_span_much_and_are_positive() -> None:
    far = [(1.0, 0.01), (2.0, 100.0)]
    assert "logarithmic" in chart(*far, log=None)
    assert "logarithmic" not in chart(*far, log=False)
    assert "logarithmic" not in chart((1.0, 1.0), (2.0, 3.0), log=None)
    assert "logarithmic" not in chart((1.0, 0.0), (2.0, 300.0), log=True), "zero has no logarithm"


def test_ticks_are_round_and_cover_the_values() -> None:
    assert linear_ticks(0.3, 9.7) == [0, 2, 4, 6, 8, 10]
    assert linear_ticks(5.0, 5.0)[0] < 5.0 < linear_ticks(5.0, 5.0)[-1]
    assert set(log_ticks(0.001, 1000.0)) == {10.0**power for power in range(-3, 4)}
    assert log_ticks(3.0, 4.0)


def test_numbers_are_short() -> None:
    assert [short(one) for one in (0.0, 5e-5, 1234567.0, 0.12345678, -3.0)] == [
        "0",
        "5e-5",
        "1,234,567",
        "0.1235",
        "-3",
    ]


def test_stages_marks_key_and_titles_are_told_and_escaped() -> None:
    evil = '"><script>x</script>'
    lines = [Line(evil, [(1.0, 1.0), (9.0, 2.0)]), Line("b", [(1.0, 3.0)])]
    drawn = chart_html(
        Chart(evil, lines, unit=evil, boundaries=[(0.0, "first"), (5.0, evil)], marks=[(3.0, evil)], hint=evil)
    )
    assert "<script" not in drawn and '"><script' not in drawn and drawn.count("&quot;&gt;&lt;script&gt;") >= 6
    assert drawn.count('line class="stage"') == 1, "the first stage begins at the left edge"
    assert ">first</text>" in drawn and drawn.count('class="mark"') == 1
    assert re.search(r"<title>step 9: [^<]* 2, b 3</title>", drawn), "a line that has ended tells its last value"


def test_a_key_for_two_lines_none_for_one_that_the_title_names() -> None:
    assert "swatch" in chart((1.0, 1.0))
    assert "swatch" not in chart_html(Chart("loss", [Line("loss", [(1.0, 1.0)])]))
    many = chart_html(Chart("many", [Line(str(one), [(1.0, 1.0), (2.0, one)]) for one in range(10)]))
    assert "line c1 d0" in many and "line c1 d1" in many, "the ninth and tenth line are dashed"
