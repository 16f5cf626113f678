"""What can be integrated: the only place that names adapters, and it names them as text.

Ours stand in a table; third parties add theirs with an entry point in the group ``biko_console.adapters``
(docs/adding-an-integration.md). A package that cannot be loaded costs its own card, never the console.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from adapters.base import (
    Actions,
    Adapter,
    Category,
    Comparison,
    Decoder,
    Explainer,
    Kit,
    Manifest,
    Settings,
    Simulator,
    Translator,
    settings_form,
)
from adapters.errors import Unsupported

if TYPE_CHECKING:
    from adapters.bench import Bench
    from adapters.reporting import Reporter
    from adapters.rulebooks import RuleBook

ENTRY_POINT_GROUP = "biko_console.adapters"

CATEGORY_LABELS: Mapping[Category, str] = {
    "supply_chain": "Supply Chain",
    "fleet_management": "Fleet Management",
    "telemetry": "Telemetry",
    "government": "Government",
    "execution": "Execution",
}

_log = logging.getLogger(__name__)
_KEY = re.compile(r"[a-z][a-z0-9_]{1,63}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One card of the catalogue.

    ``manifest`` is None for what is coming soon and for a package that cannot be loaded; ``problem`` then says in a
    sentence what is wrong with it and what to do.
    """

    key: str
    name: str
    description: str
    category: Category
    icon: str
    capabilities: tuple[str, ...]
    is_new: bool = False
    coming_soon: bool = False
    problem: str | None = None
    manifest: Manifest | None = None


BUILT_IN: Mapping[str, str] = {
    "msupply": "adapters.msupply:MSupplyAdapter",
    "nhlmis": "adapters.nhlmis:NhlmisAdapter",
    "openlmis": "adapters.openlmis:OpenLmisAdapter",
    "traccar": "adapters.traccar:TraccarAdapter",
    "gt02_tracker": "adapters.gt02_tracker:Gt02Adapter",
    "mod4": "adapters.mod4:Mod4Adapter",
    "fuel_monitoring": "adapters.fuel_monitoring.adapter:FuelMonitoringAdapter",
    "webhook": "adapters.webhook:WebhookAdapter",
    "webhook_sender": "adapters.webhook_sender:WebhookSenderAdapter",
}

COMING_SOON: tuple[Entry, ...] = ()

DISPLAY_ORDER = (
    "msupply",
    "nhlmis",
    "openlmis",
    "traccar",
    "gt02_tracker",
    "fuel_monitoring",
    "mod4",
    "webhook",
    "webhook_sender",
)


class Catalogue:
    """Everything that can be added, loaded once; see :meth:`load`."""

    def __init__(self, entries: Iterable[Entry], adapters: Mapping[str, type[Adapter[Any]]]) -> None:
        self._entries = tuple(entries)
        self._adapters = dict(adapters)
        self._by_key = {entry.key: entry for entry in self._entries}

    @classmethod
    def load(
        cls,
        built_in: Mapping[str, str] = BUILT_IN,
        third_party: Callable[[], Iterable[EntryPoint]] = lambda: entry_points(group=ENTRY_POINT_GROUP),
    ) -> Catalogue:
        """Load ours and those installed beside us. Never raises for what a package does."""
        adapters: dict[str, type[Adapter[Any]]] = {}
        entries = {entry.key: entry for entry in COMING_SOON}
        for key, target in built_in.items():
            entries[key] = _load_entry(key, partial(load_object, target), adapters, "this installation")
        ordered = [entries.pop(key) for key in DISPLAY_ORDER if key in entries] + list(entries.values())
        ordered += _load_third_party(third_party, {entry.key for entry in ordered}, adapters)
        return cls(ordered, adapters)

    def entries(self) -> tuple[Entry, ...]:
        """All cards: the seven systems in the order of the platform's page, webhooks, then third parties by name."""
        return self._entries

    def entry(self, key: str) -> Entry:
        """One card. Raises Unsupported for a key that nobody offers."""
        try:
            return self._by_key[key]
        except KeyError:
            offered = ", ".join(entry.key for entry in self._entries if entry.manifest is not None)
            raise Unsupported(
                f"There is no integration named “{key}” here. Install its package, or use one of: {offered}."
            ) from None

    def manifest(self, key: str) -> Manifest:
        """The manifest behind a card. Raises Unsupported where there is none, with the reason."""
        entry = self.entry(key)
        if entry.manifest is None:
            raise Unsupported(entry.problem or f"{entry.name} is not part of this release yet.")
        return entry.manifest

    def create(self, key: str, settings: Settings, kit: Kit) -> Adapter[Any]:
        """A new adapter for one start. Raises Unsupported like :meth:`manifest`."""
        self.manifest(key)
        return self._adapters[key](settings, kit)

    def decoders(self) -> dict[str, Decoder]:
        """Every decoder by protocol. A part that cannot be loaded is logged and left out."""
        found: dict[str, Decoder] = {}
        for manifest in self._manifests():
            if manifest.decoders is None:
                continue
            try:
                for protocol, decoder in dict(load_object(manifest.decoders)).items():
                    found.setdefault(str(protocol), decoder)
            except (Exception, SystemExit):  # noqa: BLE001 - foreign code may raise anything while it is imported
                _log.exception("The decoders of %s cannot be loaded", manifest.name)
        return found

    def explainer(self, key: str) -> Explainer | None:
        """What shows the frames of an integration field by field; None where it brings none that can be loaded."""
        entry = self._by_key.get(key)
        if entry is None or entry.manifest is None or entry.manifest.explainer is None:
            return None
        try:
            explainer: Explainer = load_object(entry.manifest.explainer)
        except (Exception, SystemExit):  # noqa: BLE001 - foreign code may raise anything while it is imported
            _log.exception("The frame explainer of %s cannot be loaded", entry.name)
            return None
        return explainer

    def simulator(self, key: str) -> Simulator:
        """The peer simulator of an integration. Raises Unsupported where it has none or it cannot be loaded."""
        simulator: Simulator = self._part(key, "simulator", "simulator")
        return simulator

    def bench(self, key: str) -> Bench:
        """The workbench of an integration. Raises Unsupported as :meth:`simulator`."""
        bench: Bench = self._part(key, "bench", "workbench")
        return bench

    def comparison(self, key: str) -> Comparison:
        """What compares an integration's calls with a live peer. Raises Unsupported as :meth:`simulator`."""
        comparison: Comparison = self._part(key, "comparison", "comparison with its peer's interface")
        return comparison

    def actions(self, key: str) -> Actions:
        """Acts of an integration whose answers are never stored. Raises Unsupported as :meth:`simulator`."""
        actions: Actions = self._part(key, "actions", "acts of its own")
        return actions

    def reporter(self, key: str) -> Reporter:
        """What sends the reports of an integration. Raises Unsupported as :meth:`simulator`."""
        reporter: Reporter = self._part(key, "reporter", "way to take reports")
        return reporter

    def translator(self, key: str) -> Translator:
        """What understands an integration's pushed messages. Raises Unsupported as :meth:`simulator`."""
        translator: Translator = self._part(key, "translator", "translation of pushed messages")
        return translator

    def rule_book(self, key: str) -> RuleBook:
        """The rules of an integration's pushed messages, to be edited. Raises Unsupported as :meth:`simulator`."""
        book: RuleBook = self._part(key, "rules", "rules for pushed messages")
        return book

    def _part(self, key: str, field: str, what: str) -> Any:
        manifest = self.manifest(key)
        target: str | None = getattr(manifest, field)
        if target is None:
            raise Unsupported(f"{manifest.name} brings no {what}.")
        try:
            return load_object(target)
        except (Exception, SystemExit) as err:
            raise Unsupported(f"The {what} of {manifest.name} cannot be loaded: {err}.") from err

    def _manifests(self) -> list[Manifest]:
        return [entry.manifest for entry in self._entries if entry.manifest is not None]


def load_object(target: str) -> Any:
    """The object behind ``module:name`` text. Raises whatever importing it raises, ValueError for other text."""
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"“{target}” is not of the form module:object")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _load_third_party(
    find: Callable[[], Iterable[EntryPoint]], taken: set[str], adapters: dict[str, type[Adapter[Any]]]
) -> list[Entry]:
    try:
        points = list(find())
    except Exception:  # noqa: BLE001 - a damaged installation of some other package must not hide ours
        _log.exception("The installed packages cannot be searched for integrations")
        return []
    entries = []
    for point in points:
        origin = f"the package {point.dist.name}" if point.dist is not None else f"the entry point {point.value}"
        if point.name in taken:
            entries.append(
                _broken(f"{point.name}@{point.value}", point.name, origin, f"“{point.name}” is taken already")
            )
            continue
        taken.add(point.name)
        entries.append(_load_entry(point.name, point.load, adapters, origin))
    return sorted(entries, key=lambda entry: entry.name.casefold())


def _load_entry(key: str, load: Callable[[], Any], adapters: dict[str, type[Adapter[Any]]], origin: str) -> Entry:
    try:
        adapter = load()
        manifest = _checked_manifest(key, adapter)
    except (Exception, SystemExit) as err:  # noqa: BLE001 - foreign code may raise anything
        _log.warning("The integration %s of %s cannot be loaded", key, origin, exc_info=err)
        return _broken(key, key, origin, _why(err))
    adapters[key] = adapter
    return Entry(
        key=key,
        name=manifest.name,
        description=manifest.description,
        category=manifest.category,
        icon=manifest.icon,
        capabilities=manifest.capabilities,
        is_new=manifest.is_new,
        manifest=manifest,
    )


def _checked_manifest(key: str, adapter: Any) -> Manifest:
    """The manifest of a class that keeps the contract. Raises TypeError with what it does not keep."""
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise TypeError("it is not an adapter class")
    manifest = getattr(adapter, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise TypeError("its adapter has no manifest")
    if manifest.key != key or not _KEY.fullmatch(key):
        raise TypeError(f"its manifest is named “{manifest.key}”, its entry “{key}”")
    if manifest.category not in CATEGORY_LABELS:
        raise TypeError(f"its category “{manifest.category}” is unknown")
    if not issubclass(manifest.settings, Settings):
        raise TypeError("its settings are not a settings model")
    settings_form(manifest.settings)
    return manifest


def _broken(key: str, name: str, origin: str, why: str) -> Entry:
    return Entry(
        key=key,
        name=name.replace("_", " ").title(),
        description=f"Offered by {origin}.",
        category="execution",
        icon="triangle-alert",
        capabilities=(),
        problem=f"This integration cannot be loaded: {why}. Update or remove {origin}, then start the program again.",
    )


def _why(err: BaseException) -> str:
    if isinstance(err, ModuleNotFoundError) and err.name:
        return f"the Python module {err.name} is missing"
    text = " ".join(str(err).split()) or type(err).__name__
    return text.rstrip(".")[:300]
