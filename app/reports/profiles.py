"""The agreed way of sending, as a file that an operator edits: checked, compared, tried without sending, approved.

Every integration that takes reports keeps it under the same settings: ``profile`` (its file), ``profile_approved`` and
``approved_code`` (what :class:`adapters.reporting.Plan` names it by).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from adapters.base import Settings
from adapters.reporting import Plan, Reporter, StockRow
from app.catalogue import Catalogue
from app.integrations.changes import Desk, change
from app.integrations.rows import configured
from app.integrations.settings import placeholders, validate
from app.reports.errors import ReportRefused
from app.reports.rows import take_snapshot

PROFILE, APPROVED, CODE = "profile", "profile_approved", "approved_code"


@dataclass(frozen=True, slots=True)
class ProfileInForce:
    """``text`` is the whole profile, every key in it; ``rows`` some stock to show requests of. No secret is in it."""

    integration_id: str
    name: str
    settings: Settings
    reporter: Reporter
    text: str
    is_approved: bool
    rows: tuple[StockRow, ...]


def profile_in_force(connection: Connection, catalogue: Catalogue, integration_id: str) -> ProfileInForce:
    """Raises UnknownIntegration, Unsupported, SettingsRefused, SettingsInvalid."""
    found = configured(connection, integration_id)
    reporter = catalogue.reporter(found.type)
    settings = validate(catalogue, found.type, found.config, placeholders(catalogue, found.type))
    rows = tuple(one.row for one in take_snapshot(connection, integration_id).rows if not one.why_held)
    text = reporter.profile_text(settings)
    return ProfileInForce(
        integration_id, found.name, settings, reporter, text, reporter.plan(settings, ()).is_approved, rows
    )


def try_profile(now: ProfileInForce, text: str) -> tuple[str, Sequence[str], Plan]:
    """A profile that is not saved: made complete, what differs, and the requests that it would make.

    Raises SettingsInvalid with each wrong key by name.
    """
    whole = now.reporter.check_profile(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.json"
        path.write_text(whole, encoding="utf-8")
        settings = now.settings.model_copy(update={PROFILE: str(path)})
        plan = now.reporter.plan(settings, now.rows)
    return whole, now.reporter.compare_profiles(now.text, whole), plan


def save_profile(desk: Desk, folder: Path, integration_id: str, text: str) -> Path:
    """Keep a profile as the one in force; it is not approved until its requests were looked at. Blocks.

    Each is a file of its own, so that what was sent by an older one can be looked up. Raises SettingsInvalid,
    ReportRefused where the disk refuses, and what changing an integration raises.
    """
    with desk.store.read() as connection:
        now = profile_in_force(connection, desk.catalogue, integration_id)
    whole, _differences, plan = try_profile(now, text)
    path = folder / f"{integration_id}-{plan.approval_code}.json"
    part = path.with_name(f"{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as err:
        part.unlink(missing_ok=True)
        raise ReportRefused(
            f"{path} cannot be written: {err.strerror}. Make room on the disk, then save again."
        ) from err
    change(desk, integration_id, values={PROFILE: str(path), APPROVED: False, CODE: ""})
    return path


def approve(desk: Desk, integration_id: str, code: str) -> None:
    """Approve the way of sending that ``code`` names, if it is still the one in force. Blocks.

    Raises ReportRefused where it changed since it was looked at.
    """
    with desk.store.read() as connection:
        now = profile_in_force(connection, desk.catalogue, integration_id)
    in_force = now.reporter.plan(now.settings, ()).approval_code
    if in_force != code:
        raise ReportRefused(
            f"The way of sending has changed since that dry run (its code is {in_force} now). Make a new dry run and "
            "look at it."
        )
    change(desk, integration_id, values={APPROVED: True, CODE: code})


def withdraw(desk: Desk, integration_id: str) -> None:
    """Send nothing more until it is approved again. Blocks."""
    change(desk, integration_id, values={APPROVED: False, CODE: ""})
