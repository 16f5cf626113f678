"""``fuel``: the analysis of recorded samples, without a store; what is kept in one has groups of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.clock import from_ms
from app.commands.fuel_mappings import mappings
from app.commands.fuel_parameters import parameters
from app.commands.fuel_tanks import calibrations, sensors, tanks
from app.commands.output import Refused, iso, json_option, print_json

if TYPE_CHECKING:
    from app.fuel.analyse import Analysis
    from app.fuel.parameters import Parameters
    from app.fuel.series import Samples
    from app.fuel.table import TankTable

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def fuel() -> None:
    """Fuel: refuels, drains and consumption."""


for group in (tanks, sensors, calibrations, mappings, parameters):
    fuel.add_command(group)


@fuel.command()
@click.argument("file", type=_FILE)
@click.option("--tank", type=_FILE, help="The tank's table: raw and litres. Without it the readings are litres.")
@click.option("--settings", type=_FILE, help="JSON with parameters, and “vehicle_class” to start from.")
@json_option
def analyse(file: Path, tank: Path | None, settings: Path | None, as_json: bool) -> None:
    """Find refuels and drains in FILE: columns time, level_raw, speed_km_h, ignition, lat, lon, temperature_c."""
    from app.fuel.analyse import analyse as analyse_samples
    from app.fuel.series import samples_from_csv
    from app.fuel.table_files import read_table

    samples = samples_from_csv(file)
    table = read_table(tank) if tank is not None else _litres_as_they_are(samples)
    found = facts_of(file.name.split(".")[0], analyse_samples(samples, table, _parameters(settings)))
    if as_json:
        print_json(found)
    else:
        _print_plainly(found)


def facts_of(vehicle: str, found: Analysis) -> dict[str, Any]:
    """The analysis in the command's shape."""
    used = found.consumption
    return {
        "vehicle": vehicle,
        "events": [
            {
                "kind": event.kind,
                "start": iso(from_ms(int(event.start_s * 1000))),
                "end": iso(from_ms(int(event.end_s * 1000))),
                "litres": round(event.litres, 2),
                "level_before_l": round(event.level_before_l, 2),
                "level_after_l": round(event.level_after_l, 2),
                "confidence": event.confidence,
                "at_least": event.at_least,
                "in_motion": event.in_motion,
                "evidence": [{"test": one.test, "outcome": one.outcome, "text": one.text} for one in event.evidence],
            }
            for event in found.events
        ],
        "consumption": {
            "consumed_litres": _rounded(used.used_l),
            "distance_km": _rounded(used.distance_km),
            "l_per_100_km": _rounded(used.l_per_100_km),
            "l_per_engine_hour": _rounded(used.l_per_engine_hour),
            "refuelled_litres": _rounded(used.refuelled_l),
            "drained_litres": _rounded(used.drained_l),
            "expected_litres": _rounded(used.expected_l),
        },
        "quality": {"score": found.quality.score, "advice": list(found.quality.advice)},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _litres_as_they_are(samples: Samples) -> TankTable:
    import numpy as np

    from app.fuel.table import identity_table

    top = float(np.nanmax(samples.raw, initial=0.0))
    if top <= 0:
        raise Refused("No reading is above 0. Give the tank's table with --tank.")
    return identity_table(top)


def _parameters(path: Path | None) -> Parameters:
    from app.fuel.parameters import CLASSES, changed, of_class

    if path is None:
        return of_class(None)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise Refused(f"{path.name} cannot be read: {err.strerror}.") from err
    except (ValueError, RecursionError) as err:
        raise Refused(f"{path.name} is not complete JSON: {err}.") from err
    if not isinstance(values, dict):
        raise Refused(f"{path.name} must hold one JSON object of parameters.")
    vehicle_class = values.pop("vehicle_class", None)
    if vehicle_class is not None and vehicle_class not in CLASSES:
        raise Refused(f"vehicle_class is one of {', '.join(CLASSES)}.")
    return changed(of_class(vehicle_class), values)


def _print_plainly(found: dict[str, Any]) -> None:
    for event in found["events"]:
        sign = "+" if event["kind"] == "refuel" else "−"
        least = "at least " if event["at_least"] else ""
        click.echo(
            f"{event['start']}  {event['kind']:<6}  {least}{sign}{event['litres']:.1f} L  "
            f"({event['level_before_l']:.0f} → {event['level_after_l']:.0f} L, confidence {event['confidence']:.0%})"
        )
    used = found["consumption"]
    if used["consumed_litres"] is not None:
        rate = f", {used['l_per_100_km']:.1f} L/100 km" if used["l_per_100_km"] is not None else ""
        click.echo(f"Used {used['consumed_litres']:.1f} L over {used['distance_km']:.0f} km{rate}.")
    click.echo(f"Quality of the sensor: {found['quality']['score']} of 100.")
    for advice in found["quality"]["advice"]:
        click.echo(f"- {advice}")
