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
            ("supply", tr("Supply"), "package", "widgets.supply.page:SupplyPage"),
            ("reports", tr("Reports"), "clipboard-list", "widgets.reports.page:ReportsPage"),
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

    own_module = (
        "adopt_tracker", "tracker_settings", "map_layers", "integration_settings", "diagnostics", "alarm_rules",
        "fuel_tanks", "fuel_mappings", "fuel_parameters", "fuel_class_parameters", "fuel_receipt", "fuel_report",
        "report_programmes", "report_received", "report_requests", "report_profile", "mail_server", "mail_template",
    )  # fmt: skip
    elsewhere = {
        "import_settings": "settings_transfer",
        "calibrate": "calibration",
        "calibrate_at_bench": "calibration",
        "calibration_history": "fuel_calibrations",
        "keep_profile": "sensor_profiles",
        "choose_profile": "sensor_profiles",
        "shelve_alarms": "alarm_shelve",
        "own_fences": "alarm_fences",
        "change_record": "supply.change",
        "find_partner": "identity_partner",
        "report_history": "report_received",
    }
    modules = {**{name: name for name in own_module}, **elsewhere}
    return {name: partial(opened, f"dialogs.{module}:{name}") for name, module in modules.items()}


def _load(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)
