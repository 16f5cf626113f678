"""The operations on configured integrations, used alike by the window and the command line."""

from app.integrations.analytics import Analytics, DayFigures, analytics
from app.integrations.changes import (
    Desk,
    Duplicate,
    NameRefused,
    OtherPeer,
    add,
    change,
    disable,
    enable,
    forget_orphans,
    remove,
)
from app.integrations.checks import CheckReport, check_model, check_settings
from app.integrations.rows import (
    COLUMNS,
    Configured,
    Dependents,
    IntegrationRow,
    UnknownIntegration,
    catalogue_rows,
    configured,
    dependents,
    integration_row,
    list_integrations,
)
from app.integrations.settings import Fault, SettingsRefused, stored_secrets, stored_settings, validate
from app.integrations.transfer import ImportLine, ImportRefused, apply_import, export_settings, plan_import

__all__ = [
    "COLUMNS",
    "Analytics",
    "CheckReport",
    "Configured",
    "DayFigures",
    "Dependents",
    "Desk",
    "Duplicate",
    "Fault",
    "ImportLine",
    "ImportRefused",
    "IntegrationRow",
    "NameRefused",
    "OtherPeer",
    "SettingsRefused",
    "UnknownIntegration",
    "add",
    "analytics",
    "apply_import",
    "catalogue_rows",
    "change",
    "check_model",
    "check_settings",
    "configured",
    "dependents",
    "disable",
    "enable",
    "export_settings",
    "forget_orphans",
    "integration_row",
    "list_integrations",
    "plan_import",
    "remove",
    "stored_secrets",
    "stored_settings",
    "validate",
]
