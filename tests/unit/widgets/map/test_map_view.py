"""What lies under the mouse, at every number of vehicles; the credit; the keyboard; the base map's redraws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from resources import resource_path
from widgets.map.atlas import (
    NO_HEADING,
    PHONE_COLUMN,
    PHONE_LIFT_PX,
    PHONE_LOOK,
    VEHICLE_LOOK,
    build_atlas,
    heading_column,
)
from widgets.map.base_data import CREDIT, BaseData, load_base_data
from widgets.map.map_view import MapView
from widgets.map.markers import CLUSTERS_FROM, DOTS_FROM, Vehicles
from widgets.map.names import least_town
from widgets.map.palette import CONTRAST, DARK, LIGHT
from widgets.map.projection import to_world
from widgets.map.states import VehicleState, color_of


@pytest.fixture(scope="module")
def base_data() -> BaseData:
    return load_base_data(resource_path("mapdata"))


@pytest.fixture
def view(base_data: BaseData, qapp: QApplication, qtbot: QtBot) -> Iterator[MapView]:
    made = MapView(base_data, LIGHT)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    paint(made)
    yield made
    made.close_map()


def paint(view: MapView) -> None:
    QApplication.processEvents()
    view.plot.viewport().repaint()


def vehicles(lat: list[float], lon: list[float], states: list[int]) -> Vehicles:
    x, y = to_world(lat, lon)
    column = heading_column(np.full(len(lat), 45.0))
    return Vehicles(x, y, column, np.array(states, np.int8), [f"T-{at}" for at in range(len(lat))])


def phones(lat: list[float], lon: list[float], states: list[int]) -> Vehicles:
    x, y = to_world(lat, lon)
    names = [f"Driver {at}" for at in range(len(lat))]
    return Vehicles(x, y, np.full(len(lat), PHONE_COLUMN, np.int16), np.array(states, np.int8), names)


def pixel(view: MapView, index: int) -> tuple[float, float]:
    drawn = view.markers.vehicles
    px, py = view.viewport().to_px(drawn.x[index], drawn.y[index])
    return float(px), float(py)


def click(view: MapView, px: float, py: float) -> None:
    QTest.mouseClick(view.plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(round(px), round(py)))


def crowd(count: int) -> Vehicles:
    draw = np.random.default_rng(5)
    states = draw.integers(0, 6, count).tolist()
    return vehicles(draw.uniform(5, 13, count).tolist(), draw.uniform(3, 13, count).tolist(), states)


def test_a_click_finds_the_vehicle_and_a_near_miss_the_map(view: MapView, qtbot: QtBot) -> None:
    view.markers.set_vehicles(vehicles([9.0, 10.0], [7.0, 8.0], [VehicleState.MOVING, VehicleState.STOPPED]))
    paint(view)
    with qtbot.waitSignal(view.vehicle_clicked) as clicked:
        click(view, *pixel(view, 1))
    assert clicked.args == [1]
    px, py = pixel(view, 0)
    with qtbot.waitSignal(view.map_clicked) as missed:
        click(view, px + 30, py)
    assert missed.args == pytest.approx([px + 30, py], abs=1.5)


def test_of_two_in_one_place_the_urgent_one_is_found(view: MapView) -> None:
    view.markers.set_vehicles(vehicles([9.0, 9.0], [7.0, 7.0], [VehicleState.STALE, VehicleState.ALARM]))
    paint(view)
    hit = view.markers.hit(*pixel(view, 0))
    assert hit is not None
    assert hit.index == 1


def test_vehicles_without_a_position_are_not_on_the_map(view: MapView) -> None:
    view.markers.set_vehicles(vehicles([9.0, float("nan")], [7.0, float("nan")], [1, VehicleState.UNKNOWN]))
    paint(view)
    assert view.markers.screen.index.tolist() == [0]


def test_every_vehicle_in_view_is_hit_where_it_stands(view: MapView) -> None:
    view.markers.set_vehicles(crowd(300))
    paint(view)
    screen = view.markers.screen
    assert len(screen.index) == 300
    for px, py, index in zip(screen.x, screen.y, screen.index, strict=True):
        hit = view.markers.hit(float(px), float(py))
        assert hit is not None
        assert hit.index is not None
        other = np.flatnonzero(screen.index == hit.index)[0]
        assert hit.index == index or np.hypot(screen.x[other] - px, screen.y[other] - py) <= 0.5


def test_many_become_clusters_whose_counts_add_up_and_a_click_comes_closer(view: MapView) -> None:
    view.markers.set_vehicles(crowd(CLUSTERS_FROM + 500))
    paint(view)
    clusters = view.markers.screen.clusters
    assert clusters is not None
    assert int(clusters.count.sum()) == len(view.markers.screen.index) == CLUSTERS_FROM + 500
    at = int(clusters.count.argmax())
    before = view.viewport().scale
    click(view, float(clusters.x[at]), float(clusters.y[at]))
    assert view.viewport().scale == pytest.approx(before * 3)


def test_a_lone_vehicle_among_clusters_is_a_vehicle(view: MapView) -> None:
    many = vehicles([9.0] * CLUSTERS_FROM + [12.5], [7.0] * CLUSTERS_FROM + [4.0], [1] * (CLUSTERS_FROM + 1))
    view.markers.set_vehicles(many)
    paint(view)
    hit = view.markers.hit(*pixel(view, CLUSTERS_FROM))
    assert hit is not None
    assert hit.index == CLUSTERS_FROM
    crowded = view.markers.hit(*pixel(view, 0))
    assert crowded is not None
    assert (crowded.index, crowded.count) == (None, CLUSTERS_FROM)


def test_more_still_become_dots_in_their_colours(view: MapView) -> None:
    view.markers.set_vehicles(crowd(DOTS_FROM + 10))
    paint(view)
    assert view.markers.screen.clusters is None
    image = view.grab().toImage()
    colors = {image.pixelColor(x, y).name() for x in range(250, 700, 2) for y in range(150, 550, 2)}
    assert color_of(VehicleState.MOVING, LIGHT) in colors
    hit = view.markers.hit(*pixel(view, 4))
    assert hit is not None
    assert hit.index is not None


def test_the_credit_is_always_on_the_map(view: MapView) -> None:
    for size in ((1000, 700), (500, 300), (1600, 900)):
        view.resize(*size)
        QApplication.processEvents()
        assert view.credit.isVisible()
        assert view.credit.text() == CREDIT == "Made with Natural Earth. Place names © GeoNames, CC BY 4.0."
        assert view.rect().contains(view.credit.geometry())
        assert [child for child in view.children() if child in {view.plot, view.credit}] == [view.plot, view.credit]
    view.set_credit(["© the makers"])
    assert view.credit.text() == f"{CREDIT}  © the makers"


def test_the_keyboard_moves_and_zooms(view: MapView) -> None:
    fitted = []
    view.on_fit = lambda: fitted.append(True)
    start = view.viewport()
    for key, moved in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, -1)):
        before = view.viewport().center[0]
        QTest.keyClick(view.plot, key)
        assert np.sign(view.viewport().center[0] - before) == moved
    QTest.keyClick(view.plot, Qt.Key.Key_Up)
    assert view.viewport().center[1] > start.center[1]
    QTest.keyClick(view.plot, Qt.Key.Key_Plus)
    assert view.viewport().scale == pytest.approx(start.scale * 1.6)
    QTest.keyClick(view.plot, Qt.Key.Key_Minus)
    assert view.viewport().scale == pytest.approx(start.scale)
    QTest.keyClick(view.plot, Qt.Key.Key_F)
    assert fitted == [True]


def test_markers_alone_do_not_redraw_the_base_map_and_rest_does(view: MapView, qtbot: QtBot) -> None:
    drawn = view.base.redraws
    for _ in range(5):
        view.markers.set_vehicles(crowd(10))
        paint(view)
    view.box.translateBy(x=20 * view.viewport().metres_per_px, y=0)
    paint(view)
    assert view.base.redraws == drawn
    view.zoom(1.3)
    paint(view)
    assert view.base.redraws == drawn  # the old picture, scaled
    qtbot.waitUntil(lambda: view.base.redraws == drawn + 1)


def test_what_is_fitted_and_centred_stays_clear_of_the_card(view: MapView) -> None:
    view.covered_px = 300
    x, y = (float(value) for value in to_world(9.0, 7.0))
    view.look_at(x, y, 100.0)
    px, py = view.viewport().to_px(x, y)
    assert (float(px), float(py)) == pytest.approx((350, 350), abs=1)
    xs, ys = to_world([6.0, 12.0], [4.0, 12.0])
    view.fit((float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1])))
    corners_x, corners_y = view.viewport().to_px(xs, ys)
    assert (corners_x >= 59).all()
    assert (corners_x <= 641).all()
    assert (corners_y >= 59).all()
    assert (corners_y <= 641).all()


def test_the_theme_changes_everything(view: MapView) -> None:
    view.markers.set_vehicles(crowd(50))
    pictures = []
    for palette in (LIGHT, DARK, CONTRAST):
        view.set_palette(palette)
        paint(view)
        image = view.grab().toImage()
        middle = view.viewport().to_px(*to_world(9.6, 5.6))
        pictures.append(image.pixelColor(round(float(middle[0])), round(float(middle[1]))).name())
    assert pictures == [LIGHT.home, DARK.home, CONTRAST.home]


def test_every_state_and_heading_has_its_own_picture(qapp: QApplication) -> None:
    atlas = build_atlas(VEHICLE_LOOK, LIGHT, 1.0).toImage()
    cells = {
        (state, column): atlas.copy(column * 30, state * 30, 30, 30)
        for state in range(6)
        for column in (0, 8, 16, 24, NO_HEADING)
    }
    moving = [cells[VehicleState.MOVING, column] for column in (0, 8, 16, 24, NO_HEADING)]
    assert all(one != other for at, one in enumerate(moving) for other in moving[at + 1 :])
    still = [cells[state, NO_HEADING] for state in range(6)]
    assert all(one != other for at, one in enumerate(still) for other in still[at + 1 :])


def test_the_base_data_is_whole(base_data: BaseData) -> None:
    towns = [place for place in base_data.places if place.kind == "town"]
    assert len(towns) > 1200
    assert towns[0].name == "Lagos"
    assert sum(place.kind == "state" for place in base_data.places) == 37
    names = [place.name for place in towns]
    assert names.count("Kano") == 1
    assert all(least_town(scale) >= least_town(scale * 0.9) for scale in np.geomspace(1, 5000, 80))
    at_country_scale = [place for place in towns if place.weight >= least_town(1_100.0)]
    assert 12 <= len(at_country_scale) <= 60  # before those that find no room


def test_a_pin_stands_above_its_place_and_the_vehicle_there_is_hit_too(view: MapView, qtbot: QtBot) -> None:
    view.markers.set_vehicles(vehicles([9.0], [7.0], [VehicleState.MOVING]))
    view.phones.set_vehicles(phones([9.0, 10.0], [7.0, 8.0], [VehicleState.MOVING, VehicleState.SILENT]))
    paint(view)
    px, py = pixel(view, 0)
    with qtbot.waitSignal(view.phone_clicked) as phone:
        click(view, px, py - PHONE_LIFT_PX)
    assert phone.args == [0]
    with qtbot.waitSignal(view.vehicle_clicked) as vehicle:
        click(view, px, py)
    assert vehicle.args == [0]
    view.phones.setVisible(False)
    with qtbot.waitSignal(view.map_clicked):
        click(view, px, py - PHONE_LIFT_PX)


def test_names_of_vehicles_find_their_places_before_those_of_drivers(view: MapView) -> None:
    view.markers.set_vehicles(vehicles([9.0], [7.0], [VehicleState.MOVING]))
    paint(view)
    without = view.grab().toImage()
    view.phones.set_vehicles(phones([9.0], [7.0], [VehicleState.MOVING]))
    paint(view)
    image = view.grab().toImage()
    px, py = (round(value) for value in pixel(view, 0))
    plate = px + 8, py - 10, 60, 20  # where the vehicle's name stands, right of it
    assert image.copy(*plate) == without.copy(*plate)
    beside_pin = px + 14, py - PHONE_LIFT_PX - 8, 60, 16
    assert image.copy(*beside_pin) != without.copy(*beside_pin)


def test_many_phones_are_clusters_in_their_own_colour(view: MapView) -> None:
    crowded = crowd(CLUSTERS_FROM + 10)
    view.phones.set_vehicles(
        Vehicles(crowded.x, crowded.y, np.zeros_like(crowded.column), crowded.state, crowded.names)
    )
    paint(view)
    clusters = view.phones.screen.clusters
    assert clusters is not None
    assert int(clusters.count.sum()) == CLUSTERS_FROM + 10
    at = int(clusters.count.argmax())
    under = view.under(QPointF(float(clusters.x[at]), float(clusters.y[at])))
    assert under.is_phone
    assert under.hit is not None
    assert (under.hit.count, under.phone) == (int(clusters.count[at]), None)


def test_every_age_of_a_phone_has_its_own_picture(qapp: QApplication) -> None:
    for palette in (LIGHT, DARK, CONTRAST):
        atlas = build_atlas(PHONE_LOOK, palette, 1.0).toImage()
        cell = PHONE_LOOK.cell_px
        assert (atlas.width(), atlas.height()) == (cell, 6 * cell)
        fresh, old, silent = (
            atlas.copy(0, state * cell, cell, cell)
            for state in (VehicleState.MOVING, VehicleState.STALE, VehicleState.SILENT)
        )
        assert fresh == atlas.copy(0, VehicleState.STOPPED * cell, cell, cell)
        assert len({fresh.pixelColor(cell // 2 - 6, cell // 2).name(), palette.phone}) == 1
        assert old.pixelColor(cell // 2 - 6, cell // 2).name() == palette.paper
        assert silent.pixelColor(cell // 2 - 6, cell // 2).alpha() < 255
