"""The legend of a figure lies inside it, however long the names of variants are."""

import pytest

from ritzflow.tables import figure_style


@pytest.mark.parametrize("panels", [1, 3])
@pytest.mark.parametrize(
    "variants", [[""], ["/w2", "/w4"], ["/reorth_window=2,reorth_period=5,max_iters=15"]]
)
def test_the_legend_lies_inside_the_figure(panels, variants):
    figure, _ = figure_style.grid(1, panels)
    figure_style.legend(figure, figure_style.lines_of({"full": variants, "selective": variants}))
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
