"""Every page and every dialog of the window by name, each imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from resources.i18n import tr
from widgets.window import PageSpec


def pages() -> Sequence[PageSpec]:
    """Every page there is, imported when it is first shown."""
    return [
        PageSpec(key, title, icon, partial(_load, target))
        for key, title, icon, target in (
            ("integrations", tr("Integrations"), "plug", "widgets.integrations.page:IntegrationsPage"),
            ("map", tr("Live map"), "map", "widgets.map.page:MapPage"),
            ("trackers", tr("Trackers"), "satellite-dish", "widgets.trackers.page:TrackersPage"),
            ("fuel", tr("Fuel"), "fuel", "widgets.fuel.page:FuelPage"),
            ("workbench", tr("Workbench"), "wrench", "widgets.workbench.page:WorkbenchPage"),
            ("sync", tr("Sync"), "arrow-left-right", "widgets.sync.page:SyncPage"),
            ("alarms", tr("Alarms"), "shield-alert", "widgets.alarms.page:AlarmsPage"),
            ("activity", tr("Activity"), "activity", "widgets.activity.page:ActivityPage"),
            ("settings", tr("Settings"), "settings", "widgets.settings.page:SettingsPage"),
        )
    ]


def dialogs() -> Mapping[str, Callable[..., Awaitable[Any]]]:
    """The dialogs that pages open by name, each imported when it is first asked for."""

    async def opened(target: str, *arguments: Any, **named: Any) -> Any:
        return await _load(target)(*arguments, **named)

    return {
        name: partial(opened, f"{module}:{name}")
        for module, name in (
            ("dialogs.adopt_tracker", "adopt_tracker"),
            ("dialogs.tracker_settings", "tracker_settings"),
            ("dialogs.map_layers", "map_layers"),
            ("dialogs.integration_settings", "integration_settings"),
            ("dialogs.diagnostics", "diagnostics"),
            ("dialogs.settings_transfer", "import_settings"),
            ("dialogs.fuel_tanks", "fuel_tanks"),
            ("dialogs.fuel_parameters", "fuel_parameters"),
            ("dialogs.fuel_receipt", "fuel_receipt"),
            ("dialogs.fuel_report", "fuel_report"),
            ("dialogs.calibration", "calibrate"),
            ("dialogs.alarm_shelve", "shelve_alarms"),
            ("dialogs.alarm_rules", "alarm_rules"),
            ("dialogs.alarm_fences", "own_fences"),
            ("dialogs.calibration", "calibrate_at_bench"),
            ("dialogs.supply.change", "change_record"),
        )
    }


def _load(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)
