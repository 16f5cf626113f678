"""What the console's reports call: the plan of a dry run, the run itself, and the profile in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.base import Kit, Settings
from adapters.errors import SettingsInvalid
from adapters.nhlmis.client import NhlmisClient, code_of, is_approved, load_wire, require_approval
from adapters.nhlmis.orders import read_order
from adapters.nhlmis.profile_files import described, differences, load_profile, profile_text, read_profile
from adapters.nhlmis.requests import shipment_request
from adapters.nhlmis.settings import NhlmisSettings
from adapters.nhlmis.shipments import fetch_order
from adapters.nhlmis.stock import run_stores, split_reportable, stock_requests
from adapters.reporting import ExactRequest, Plan, Progress, RunResult, Shipped, StockRow, StockSchedule
from adapters.supply import Requisition


class NhlmisReporter:
    """:class:`adapters.reporting.Reporter` for NHLMIS."""

    def plan(self, settings: Settings, rows: Sequence[StockRow]) -> Plan:
        """All calls of a run that every batch passes, store by store."""
        ours = _ours(settings)
        wire = load_wire(ours)
        good, held = split_reportable(wire.profile, rows, ours.store_codes)
        requests = [request for store, lines in good.items() for request in stock_requests(wire, store, lines)]
        return Plan(tuple(requests), tuple(held), code_of(wire), is_approved(ours, wire))

    def plan_shipment(self, settings: Settings, shipped: Shipped, key: str = "") -> ExactRequest:
        try:
            return shipment_request(load_wire(_ours(settings)), shipped, key)
        except ValueError as err:
            raise SettingsInvalid("", f"This shipment cannot be written: {err}") from err

    async def run(
        self, settings: Settings, kit: Kit, rows: Sequence[StockRow], progress: Callable[[Progress], None]
    ) -> RunResult:
        client = NhlmisClient(_ours(settings), kit)
        require_approval(client.settings, client.wire)
        good, held = split_reportable(client.profile, rows, client.settings.store_codes)
        return await run_stores(client, good, held, progress)

    async def fetch_order(self, settings: Settings, kit: Kit, order_id: str) -> Requisition:
        """Packs whose size only the list of items tells stay packs here; the next polling brings the units."""
        client = NhlmisClient(_ours(settings), kit)
        return read_order(client.profile, await fetch_order(client, order_id), client.pack_sizes)

    def schedule(self, settings: Settings) -> StockSchedule:
        ours = _ours(settings)
        profile = load_profile(ours.profile)
        every_days = ours.stock_every_days or profile.schedule.stock_every_days
        return StockSchedule(every_days, ours.stock_at or profile.schedule.stock_at, profile.limits.attempts)

    def profile_text(self, settings: Settings) -> str:
        return profile_text(load_profile(_ours(settings).profile))

    def check_profile(self, text: str) -> str:
        return profile_text(read_profile(text))

    def describe_profile(self, settings: Settings) -> Sequence[tuple[str, str]]:
        return described(load_profile(_ours(settings).profile))

    def compare_profiles(self, old: str, new: str) -> Sequence[str]:
        return differences(read_profile(old), read_profile(new))


def _ours(settings: Settings) -> NhlmisSettings:
    if not isinstance(settings, NhlmisSettings):
        raise TypeError(f"these are not settings of NHLMIS: {type(settings).__name__}")
    return settings


REPORTER = NhlmisReporter()
