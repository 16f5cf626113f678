"""Many vehicles on one screen: grid clusters with counts, and dots when there are more still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from widgets.map.projection import FloatArray

CLUSTER_PX = 56


@dataclass(frozen=True, slots=True)
class Clusters:
    """One entry per occupied cell: the centre of its vehicles in pixels, how many, and the most urgent state of them.

    ``member`` is the position, among the points that were given, of one vehicle of the cell.
    """

    x: FloatArray
    y: FloatArray
    count: NDArray[np.int64]
    worst: NDArray[np.int8]
    member: NDArray[np.int64]


def grid_clusters(
    px: FloatArray, py: FloatArray, states: NDArray[np.int8], anchor: tuple[float, float], cell_px: int = CLUSTER_PX
) -> Clusters:
    """Group pixel positions by cells of a grid.

    ``anchor`` is where the world's origin lies in pixels: the grid hangs on the world, so that clusters keep their
    members while the map is panned.
    """
    if len(px) == 0:
        nothing = np.empty(0)
        return Clusters(nothing, nothing, np.empty(0, np.int64), np.empty(0, np.int8), np.empty(0, np.int64))
    column = np.floor((px - anchor[0]) / cell_px).astype(np.int64)
    row = np.floor((py - anchor[1]) / cell_px).astype(np.int64)
    column -= column.min()
    row -= row.min()
    cell = column * (row.max() + 1) + row
    cells = int(cell.max()) + 1
    if cells > 16 * len(px) + 4096:  # a sparse grid: name only the occupied cells
        cell = np.unique(cell, return_inverse=True)[1]
        cells = int(cell.max()) + 1
    count = np.bincount(cell, minlength=cells)
    occupied = np.flatnonzero(count)
    worst = np.full(cells, 127, np.int8)
    for state in np.unique(states)[::-1]:  # the most urgent is written last
        worst[cell[states == state]] = state
    sum_x = np.bincount(cell, px, cells)[occupied]
    sum_y = np.bincount(cell, py, cells)[occupied]
    number = count[occupied]
    member = np.zeros(cells, np.int64)
    member[cell] = np.arange(len(px))
    return Clusters(sum_x / number, sum_y / number, number.astype(np.int64), worst[occupied], member[occupied])


def paint_dots(
    canvas: NDArray[np.uint32],
    px: FloatArray,
    py: FloatArray,
    color_index: NDArray[np.int8],
    colors: NDArray[np.uint32],
    *,
    size: int = 5,
) -> None:
    """Square dots into an ARGB canvas (height, width); the most urgent states are painted last, on top."""
    height, width = canvas.shape
    x, y = np.round(px).astype(np.int64), np.round(py).astype(np.int64)
    inside = (x >= size) & (y >= size) & (x < width - size) & (y < height - size)
    start, index = (y * width + x)[inside], color_index[inside]
    flat = canvas.reshape(-1)
    half = size // 2
    # corners off: nearly round
    offsets = [
        dy * width + dx
        for dy in range(-half, half + 1)
        for dx in range(-half, half + 1)
        if abs(dx) + abs(dy) < 2 * half
    ]
    for state in np.unique(index)[::-1]:
        of_state = start[index == state]
        for offset in offsets:
            flat[of_state + offset] = colors[state]
