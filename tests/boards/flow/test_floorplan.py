"""The floorplan is drawn from the places, in nextpnr's scale."""

import pytest

from bitloom.boards.flow.family import lone_flip_flops
from bitloom.boards.flow.floorplan import draw, places
from bitloom.boards.report.floorplan import distil, owners

ICE40 = {"acc.fc1.a": "X14/Y1/lc0", "acc.fc1.b": "X14/Y1/lc7", "acc.fc2.rom": "X19/Y3/ram", "pin": "X12/Y31/io1"}


def test_places_are_read_in_every_familys_words():
    bels = ["X14/Y1/lc0", "X4/Y47/SLICEB.K0", "X2Y15/LUT5"]
    cells = {f"c{i}": {"attributes": {"NEXTPNR_BEL": bel}} for i, bel in enumerate(bels)}
    assert list(places({**cells, "unplaced": {"attributes": {}}}).values()) == bels


def test_each_cell_is_drawn_in_its_tile():
    drawing = draw(ICE40, (26, 32))
    assert drawing.startswith('<svg viewBox="0 0 1300 1600"')
    assert drawing.count("<rect") == len(ICE40)
    assert 'x="702" y="52"' in drawing  # tile (14, 1), the first of its cells
    assert '<rect x="954" y="154" width="42" height="42"' in drawing  # the memory fills its tile


@pytest.mark.parametrize("bel", ["X4/Y25/EBR0", "X4Y9/BSRAM", "X0/Y5/mac16_0", "X19/Y3/ram", "X4/Y58/MULT18_0"])
def test_memories_and_multipliers_fill_their_tile(bel):
    assert 'width="42" height="42"' in draw({"m": bel}, (127, 96))


def test_the_report_tells_the_layers_apart(tmp_path):
    (tmp_path / "floorplan.svg").write_text(draw(ICE40, (26, 32)))
    plan = distil(tmp_path / "floorplan.svg", owners(ICE40, {"fc1": "fc1", "fc2": "fc2"}))
    assert (plan.columns, plan.rows) == (26, 32)
    assert plan.cells == {"fc1": 2, "fc2": 1, "": 1}


def cell(kind: str, **connections: int) -> dict[str, object]:
    return {"type": kind, "connections": {port: [bit] for port, bit in connections.items()}}


def test_flip_flops_without_a_lut_of_their_own_are_counted():
    cells = {
        "own": cell("SB_LUT4", I0=1, O=2),
        "with_own": cell("SB_DFF", C=9, D=2, Q=3),
        "shared": cell("SB_LUT4", I0=3, O=4),
        "of_shared": cell("SB_DFFE", C=9, D=4, Q=5),
        "reader": cell("SB_LUT4", I0=4, O=6),
        "after_memory": cell("SB_DFF", C=9, D=7, Q=8),
        "memory": cell("SB_RAM40_4K", RDATA=7, WADDR=6),
    }
    assert lone_flip_flops(cells, ("SB_DFF",), {"SB_LUT4": "O"}) == 2
