"""Clusters lose nobody and keep the most urgent state; dots lie where the vehicles are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from widgets.map.clusters import CLUSTER_PX, grid_clusters, paint_dots
from widgets.map.labels import TakenSpace

points = st.lists(
    st.tuples(st.floats(-5_000, 5_000), st.floats(-5_000, 5_000), st.integers(0, 6)), min_size=0, max_size=300
)


@given(points, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_counts_equal_the_total_and_states_the_worst(
    drawn: list[tuple[float, float, int]], anchor_x: float, anchor_y: float
) -> None:
    px, py = np.array([p[0] for p in drawn], float), np.array([p[1] for p in drawn], float)
    states = np.array([p[2] for p in drawn], np.int8)
    clusters = grid_clusters(px, py, states, (anchor_x, anchor_y))
    assert int(clusters.count.sum()) == len(drawn)
    assert (clusters.count > 0).all()
    cells: dict[tuple[int, int], list[int]] = {}
    for at, (x, y, _state) in enumerate(drawn):
        cell = (int(np.floor((x - anchor_x) / CLUSTER_PX)), int(np.floor((y - anchor_y) / CLUSTER_PX)))
        cells.setdefault(cell, []).append(at)
    assert sorted(clusters.count.tolist()) == sorted(len(members) for members in cells.values())
    for count, worst, member in zip(clusters.count, clusters.worst, clusters.member, strict=True):
        members = next(group for group in cells.values() if int(member) in group)
        assert len(members) == count
        assert int(worst) == min(drawn[at][2] for at in members)


def test_a_pan_keeps_the_groups() -> None:
    draw = np.random.default_rng(3)
    px, py = draw.uniform(0, 1280, 3_000), draw.uniform(0, 800, 3_000)
    states = np.ones(3_000, np.int8)
    before = grid_clusters(px, py, states, (12.0, 40.0))
    after = grid_clusters(px + 333.25, py - 77.5, states, (12.0 + 333.25, 40.0 - 77.5))
    assert sorted(before.count.tolist()) == sorted(after.count.tolist())


def test_far_apart_points_cost_no_memory() -> None:
    far = np.array([0.0, 1e9])
    clusters = grid_clusters(far, far, np.zeros(2, np.int8), (0.0, 0.0))
    assert clusters.count.tolist() == [1, 1]


def test_dots_are_painted_where_they_are_the_urgent_on_top() -> None:
    canvas = np.zeros((100, 120), np.uint32)
    colors = np.array([0xFFFF0000, 0xFF00FF00], np.uint32)
    paint_dots(
        canvas, np.array([50.0, 50.4, 5000.0]), np.array([40.0, 40.0, 3.0]), np.array([0, 1, 1], np.int8), colors
    )
    assert canvas[40, 50] == 0xFFFF0000
    assert set(np.unique(canvas).tolist()) == {0, 0xFFFF0000}
    rows, columns = np.nonzero(canvas)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (38, 42, 48, 52)


boxes = st.lists(
    st.tuples(st.floats(0, 900), st.floats(0, 600), st.floats(1, 150), st.floats(1, 40)), min_size=1, max_size=400
)


@given(boxes)
def test_labels_that_were_placed_never_overlap(drawn: list[tuple[float, float, float, float]]) -> None:
    taken = TakenSpace(capacity=4)
    placed = [(x, y, x + w, y + h) for x, y, w, h in drawn if taken.take(x, y, x + w, y + h)]
    assert placed[0] == (drawn[0][0], drawn[0][1], drawn[0][0] + drawn[0][2], drawn[0][1] + drawn[0][3])
    for at, one in enumerate(placed):
        for other in placed[at + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
