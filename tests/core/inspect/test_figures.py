"""Figures: cells drawn where they lie, bars, files that open."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from napari_lgmsnet.core.errors import InputError
from napari_lgmsnet.core.inspect.figures import map_figure, save_figure
from napari_lgmsnet.core.inspect.maps import CoarseMap, stage_map
from napari_lgmsnet.core.inspect.numbers import Row, number_stages
from napari_lgmsnet.core.inspect.planes import plane_of
from napari_lgmsnet.core.inspect.plots import (
    share_figure,
    spectrum_figure,
    stage_figure,
    tinted,
)
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model
from tests.core.inspect.helpers import averaging_model, look

GENERATOR = np.random.default_rng(0)


def map_of(shape: tuple[int, ...], affine: np.ndarray, stage: str = "encoder5") -> CoarseMap:
    image = GENERATOR.uniform(0, 1000, shape).astype(np.float32)
    volume = Volume(image, "ZYX"[-len(shape) :], affine, "mm", "head")
    return stage_map(look(averaging_model(len(shape)), volume, [stage]), stage)


def drawn(figure: Figure) -> np.ndarray:
    """Return the picture of a figure as colours."""
    from io import BytesIO

    stream = BytesIO()
    figure.savefig(stream, format="png")
    with Image.open(stream) as picture:
        return np.asarray(picture.convert("RGB"))


def test_cells_are_drawn_where_they_lie() -> None:
    coarse = map_of((48, 64), np.diag([0.5, 2.0, 1.0]))
    figure = map_figure(coarse)
    image, cells = figure.axes[0].images
    assert image.get_extent() == [-0.5, 63.5, 47.5, -0.5]
    assert cells.get_extent() == [-0.5, 63.5, 47.5, -0.5]
    np.testing.assert_array_equal(cells.get_array(), coarse.data)
    assert figure.axes[0].get_aspect() == pytest.approx(0.25)
    # A quarter of the width is the largest round length: 20 of 128 mm.
    assert [text.get_text() for text in figure.axes[0].texts] == ["20 mm"]
    bar = figure.axes[0].lines[0].get_xdata()
    assert (bar[1] - bar[0]) * 64 * 2.0 == pytest.approx(20.0)
    assert figure.axes[1].get_ylabel() == "mean of the channels"
    assert (drawn(figure) != 255).any()


def test_padding_reaches_beyond_the_image() -> None:
    coarse = map_of((40, 40), np.eye(3))
    cells = map_figure(coarse).axes[0].images[1]
    assert cells.get_extent() == [-0.5, 47.5, 47.5, -0.5]


@pytest.mark.parametrize(
    ("axis", "sizes", "index", "right", "up"),
    [
        (0, (40, 60), 3, (59.5, -0.5), (-0.5, 39.5)),  # axial, stored RAS: both turned
        (1, (33, 60), 7, (59.5, -0.5), (-0.5, 32.5)),
        (2, (33, 40), 9, (39.5, -0.5), (-0.5, 32.5)),
    ],
)
def test_slices_of_a_head_stand_as_radiologists_see_them(
    axis: int,
    sizes: tuple[int, int],
    index: int,
    right: tuple[float, float],
    up: tuple[float, float],
) -> None:
    # The world is LPS: an axis that runs to the right or front runs against it.
    coarse = map_of((33, 40, 60), np.diag([2.0, -1.0, -1.0, 1.0]), "encoder3")
    plane = plane_of(coarse, axis=axis, index=index)
    np.testing.assert_allclose(plane.image.shape, sizes)
    assert plane.limits == (right, up)
    np.testing.assert_array_equal(plane.cells, coarse.data.take(index // 4, axis=axis))
    assert plane.where == f", slice {index}"


def test_a_volume_stored_in_other_axes_is_cut_across_head_and_feet() -> None:
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], [0, 1, 2, 3]] = 1.0  # x first, z last
    coarse = map_of((40, 36, 34), affine, "encoder3")
    mask = np.zeros((40, 36, 34), dtype=bool)
    mask[10:20, 5:9, 21] = True
    mask[10, 5, 3] = True
    plane = plane_of(coarse, mask)
    assert plane.where == ", slice 21"
    np.testing.assert_array_equal(plane.mask, mask[:, :, 21].T)
    np.testing.assert_array_equal(plane.cells, coarse.data[:, :, 5].T)
    assert plane.limits == ((-0.5, 39.5), (35.5, -0.5))
    assert plane_of(coarse).where == ", slice 17"


def test_what_the_network_did_not_see_is_drawn_bare() -> None:
    image = np.zeros((40, 36, 34), dtype=np.float32)
    image[5:15] = 500.0
    model = averaging_model(3, crop_foreground=True)
    coarse = stage_map(look(model, Volume.from_array(image, "ZYX")), "encoder5")
    assert plane_of(coarse, index=30).cells is None
    assert len(map_figure(coarse, index=30).axes) == 1
    assert plane_of(coarse, index=8).cells is not None


def test_colours_and_outlines_and_differences() -> None:
    array = GENERATOR.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    model = small_model(2, 3, colour="rgb")
    inspection = look(model, Volume.from_array(array, "YXC"))
    colours = stage_map(inspection, "encoder5", "components")
    mask = np.zeros((64, 64), dtype=bool)
    mask[10:30, 10:40] = True
    figure = map_figure(colours, mask)
    assert len(figure.axes) == 1
    assert len(figure.axes[0].collections) == 1
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), array)
    plain = stage_map(inspection, "encoder5")
    signed = CoarseMap(plain.data - 1, plain.cells, plain.volume, "s", "difference", signed=True)
    low, high = map_figure(signed).axes[0].images[1].get_clim()
    assert low == -high == pytest.approx(-np.abs(signed.data).max())


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_files_open_and_are_written_once(tmp_path: Path, ending: str) -> None:
    coarse = map_of((48, 64), np.eye(3))
    figure = map_figure(coarse)
    path = tmp_path / f"view.{ending}"
    save_figure(path, figure)
    if ending == "png":
        with Image.open(path) as picture:
            assert min(picture.size) > 800
    else:
        texts = [e.text for e in ElementTree.parse(path).iter() if e.tag.endswith("text")]
        assert "10 mm" in texts
        assert "mean of the channels" in texts
    first = path.read_bytes()
    with pytest.raises(InputError, match="exists"):
        save_figure(path, figure)
    save_figure(path, map_figure(coarse), overwrite=True)
    assert path.read_bytes() == first
    with pytest.raises(InputError, match=r"use one of \.png, \.svg"):
        save_figure(tmp_path / "view.pdf", figure)


def row(stage: str, energy: float, case: str = "a", checkpoint: str = "one") -> Row:
    return Row(case, checkpoint, stage, "mean", "polyp", 0.2, energy, 1, 0.5, 0.5, 0.3, 4.0, 8)


def test_plots_follow_the_network() -> None:
    rows = [row("decoder2", 0.9), row("stem", 0.2), row("encoder5", 0.4), row("stem", 0.4, "b")]
    axes = stage_figure(rows).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["stem", "encoder5", "decoder2"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.3, 0.4, 0.9])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [0.2] * 3)
    assert len(stage_figure(rows, "auc").axes[0].lines) == 1
    both = [*rows, row("stem", 0.1, checkpoint="two")]
    legend = share_figure(both).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]
    drawn(share_figure(both))
    with pytest.raises(InputError, match="no measure"):
        stage_figure(rows, "foreground")
    with pytest.raises(InputError, match="choose a mask with some foreground"):
        share_figure([row("stem", float("nan"))])


def test_the_plot_of_singular_values_says_the_rank() -> None:
    volume = Volume.from_array(GENERATOR.normal(size=(64, 64)), "YX")
    _, spectra = number_stages(look(small_model(2), volume, ["encoder5", "stem"]), None)
    curves, ranks = spectrum_figure(spectra).axes
    assert [line.get_label() for line in curves.lines] == ["stem", "encoder5"]
    one = spectra["encoder5"]
    positive = one.values[one.values > 0]
    np.testing.assert_allclose(curves.lines[1].get_ydata(), positive / positive[0])
    assert ranks.patches[1].get_height() == pytest.approx(one.effective_rank / 8)
    assert ranks.texts[1].get_text() == f"{one.effective_rank:.0f}\nof 8"
    assert [t.get_text() for t in ranks.get_xticklabels()] == ["stem", "encoder5"]


def test_a_tinted_plot_has_letters_and_no_paper() -> None:
    from io import BytesIO

    stream = BytesIO()
    tinted(stage_figure([row("stem", 0.2), row("encoder5", 0.4)]), "#ff0000").savefig(stream)
    with Image.open(stream) as picture:
        colours = np.asarray(picture.convert("RGBA"))
    assert colours[0, 0, 3] == 0
    assert (colours[..., 3] > 0).any()
    inked = colours[colours[..., 3] == 255]
    # The first line of the plot has another colour; nothing is black, as paper would have it.
    assert (inked == [255, 0, 0, 255]).all(axis=1).any()
    assert not (inked[:, :3] == 0).all(axis=1).any()


def test_what_cannot_be_drawn_is_said() -> None:
    coarse = map_of((33, 40, 60), np.eye(4))
    with pytest.raises(InputError, match="no axis 3"):
        map_figure(coarse, axis=3)
    with pytest.raises(InputError, match="no slice 33: choose one from 0 to 32"):
        map_figure(coarse, axis=0, index=33)
    with pytest.raises(InputError, match="choose the mask of this image"):
        map_figure(coarse, np.zeros((3, 3), dtype=bool))
    with pytest.raises(InputError, match='no colour map is called "rainbowish"'):
        map_figure(coarse, colormap="rainbowish")
