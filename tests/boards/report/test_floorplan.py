"""The floorplan keeps what is used, where it is, in the colour of its layer."""

from __future__ import annotations

from pathlib import Path

from support.reports import drawing, rectangle

from bitloom.boards.report.floorplan import distil, owners


def test_cells_belong_to_the_layer_in_their_path() -> None:
    placement = {"accelerator.fc1.dot.y_SB_LUT4_O_LC": "X3/Y4/lc1", "accelerator.fc10.y_LC": "X3/Y4/lc0",
                 "accelerator.fc1.rom[3]": "X3/Y4/lc2", "link.receiver.fc1x": "X5Y6/LUT0", "clk$SB_GB": "nowhere"}
    assert owners(placement, {"fc1": "fc1", "fc 10": "fc10"}) == {(3, 4): ["fc 10", "fc1", "fc1"], (5, 6): [""]}


def test_each_used_cell_is_drawn_once_in_its_tile(tmp_path: Path) -> None:
    path = tmp_path / "floorplan.svg"
    path.write_text(drawing(
        rectangle(55, 60), rectangle(55, 63), rectangle(255, 60), rectangle(405, 360, 30, 80),  # a memory
        rectangle(105, 60, used=False), columns=10, rows=8))
    plan = distil(path, {(1, 1): ["fc1", "act1"], (5, 1): ["fc1", "fc1"]})
    assert plan is not None and plan.whole and (plan.columns, plan.rows) == (10, 8)
    assert plan.cells == {"fc1": 2, "act1": 1, "": 1}
    assert plan.paths["fc1"] == "M53 53h44v21h-44zM253 53h44v21h-44z"  # two slots to the tile
    assert plan.paths["act1"] == "M53 75h44v21h-44z"
    assert plan.paths[""] == "M403 353h44v44h-44z"  # a block memory takes its whole tile


def test_a_small_design_on_a_large_device_is_shown_up_close(tmp_path: Path) -> None:
    path = tmp_path / "floorplan.svg"
    cells = [rectangle(x, y) for x in (1005, 1055) for y in (505, 508)]
    path.write_text(drawing(*cells, rectangle(5, 2505), columns=73, rows=51))  # and a pin in the corner
    plan = distil(path)
    assert plan is not None and not plan.whole
    assert plan.view == (950, 450, 200, 150) and plan.cells == {"": 5}


def test_no_drawing_or_an_empty_device_is_no_floorplan(tmp_path: Path) -> None:
    assert distil(tmp_path / "floorplan.svg") is None
    (tmp_path / "floorplan.svg").write_text(drawing(rectangle(5, 5, used=False)))
    assert distil(tmp_path / "floorplan.svg") is None
