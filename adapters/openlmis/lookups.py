"""What records are joined with: lots, rejection reasons, lengths of periods; and what this account follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from adapters.base import Clock
from adapters.openlmis import fields, mapping
from adapters.openlmis.client import OpenLmisClient, Refused
from adapters.openlmis.fields import Json
from adapters.openlmis.paging import Pace, whole
from adapters.openlmis.rights import Rights, read_rights
from adapters.openlmis.settings import OpenLmisSettings, codes

LOTS_PER_REQUEST = 50  # keeps the request line well below the 8 KB that proxies accept
MOST_LOTS = 200_000
FRESH_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What is followed: ids of facilities, programmes by id.

    ``named`` and ``chosen`` are True where the settings name facilities or programmes, instead of taking all.
    """

    ours: frozenset[str] = frozenset()
    programs: Mapping[str, str] = field(default_factory=dict)
    rights: Rights | None = None
    named: bool = False
    chosen: bool = False
    trouble: str = ""

    def follows(self, program: str) -> bool:
        """Whether papers of a programme are followed; those that name none are."""
        return not self.chosen or not program or program in self.programs

    @property
    def marker(self) -> str:
        """The same for the same scope: where it changed, older papers may have come into view."""
        chosen = sorted(self.programs) if self.chosen else []
        return sha256("|".join([*sorted(self.ours), "/", *chosen]).encode()).hexdigest()[:16]


class Lookups:
    """Kept for a day each; made anew with the adapter."""

    def __init__(self, client: OpenLmisClient, settings: OpenLmisSettings, pace: Pace, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._pace = pace
        self._clock = clock
        self._lots: dict[str, Json] = {}
        self._lots_ms = 0
        self._reasons: dict[tuple[str, str], dict[str, str]] = {}
        self._months: dict[str, float] | None = None
        self._scope: Scope | None = None
        self._scope_ms = 0

    async def scope(self) -> Scope:
        """Facilities and programmes to follow, by the settings and by what the user may see."""
        if self._scope is None or self._clock.now_ms() - self._scope_ms > FRESH_MS:
            self._scope = await self._find_scope()
            self._scope_ms = self._clock.now_ms()
        return self._scope

    async def _find_scope(self) -> Scope:
        rights = await self.rights()
        wanted = codes(self._settings.programs)
        chosen = bool(wanted)
        every = mapping.by_id(await self._client.items("/programs"))
        known = {key: fields.text(program, "code", 100) for key, program in every.items()}
        programs = {key: code for key, code in known.items() if not wanted or code in wanted}
        missing = [code for code in wanted if code not in known.values()]
        trouble = f"No programme has the code {', '.join(missing)}. Correct the settings." if missing else ""
        named = codes(self._settings.facilities)
        if not named:
            if rights is None:
                trouble = trouble or "An API key belongs to no facility: name our facilities in the settings."
            return Scope(rights.facilities if rights else frozenset(), programs, rights, chosen=chosen, trouble=trouble)
        ours: dict[str, str] = {}
        for code in named:
            found = mapping.by_id(await whole(self._client, self._pace, self._clock, "/facilities", ("code", code)))
            ours |= {key: code for key, one in found.items() if fields.text(one, "code", 100) == code}
        absent = [code for code in named if code not in ours.values()]
        if absent:
            trouble = f"No facility has the code {', '.join(absent)}. Correct the settings."
        return Scope(frozenset(ours), programs, rights, named=True, chosen=chosen, trouble=trouble)

    async def rights(self) -> Rights | None:
        """The effective rights of the user; None for a key, which has none of its own."""
        await self._client.ensure_signed_in()
        if not self._client.user_id:
            return None
        return read_rights(await self._client.items(f"/users/{self._client.user_id}/permissionStrings"))

    async def lots(self, ids: Iterable[str]) -> Mapping[str, Json]:
        """Lots by id, asked for once a day; one that cannot be had is left out."""
        if self._clock.now_ms() - self._lots_ms > FRESH_MS or len(self._lots) > MOST_LOTS:
            self._lots.clear()
            self._lots_ms = self._clock.now_ms()
        missing = [lot for lot in dict.fromkeys(ids) if lot and lot not in self._lots]
        for at in range(0, len(missing), LOTS_PER_REQUEST):
            wanted = [("id", lot) for lot in missing[at : at + LOTS_PER_REQUEST]]
            try:
                found = await whole(self._client, self._pace, self._clock, "/lots", *wanted)
            except Refused:
                break
            self._lots |= mapping.by_id(found)
        return self._lots

    async def reasons(self, program: str, facility_type: str) -> Mapping[str, str]:
        """Names of reasons for refused goods by id; empty where they cannot be read."""
        if not program or not facility_type:
            return {}
        place = (program, facility_type)
        if place not in self._reasons:
            try:
                found = await self._client.items("/validReasons", ("program", program), ("facilityType", facility_type))
            except Refused:
                return {}
            self._reasons[place] = dict(_reasons(found))
        return self._reasons[place]

    async def months(self, period_ids: Collection[str]) -> Mapping[str, float]:
        """Lengths of periods by id; read again where one of ``period_ids`` is new."""
        if self._months is None or set(period_ids) - self._months.keys() - {""}:
            try:
                found = await whole(self._client, self._pace, self._clock, "/processingPeriods")
            except Refused:
                found = []
            lengths = {key: fields.number(one, "durationInMonths") for key, one in mapping.by_id(found).items()}
            self._months = {key: length or 0.0 for key, length in lengths.items()}
            self._months |= {key: self._months.get(key, 0.0) for key in period_ids}
        return self._months


def _reasons(entries: Iterable[object]) -> Iterable[tuple[str, str]]:
    """Those with the tag for refused goods come first; without any such tag, all of them."""
    found = [fields.inner(entry, "reason") or entry for entry in entries if isinstance(entry, dict)]
    tagged = [reason for reason in found if "rejected" in str(reason.get("tags")).lower()]
    for reason in tagged or found:
        if (key := fields.text(reason, "id", 200)) and (name := fields.text(reason, "name")):
            yield key, name


def facility_type_of(order: Json) -> str:
    """The type of the receiving facility, by which reasons are chosen."""
    receiver = fields.inner(order, "receivingFacility") or fields.inner(order, "requestingFacility")
    return fields.reference(receiver, "type")
