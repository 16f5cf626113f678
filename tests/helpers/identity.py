"""Systems that know the same things by other names, for tests of the identity map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, select

from adapters.records import Record
from adapters.supply import Facility, Item
from app.clock import from_ms
from app.identity.kinds import TABLES, Known
from app.store.store import Store
from app.store.tables import IdentityAct, IdentityDecline, IdentityLink, IdentityRow, IdentitySuggestion
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.supply import SupplyFeed

T = TypeVar("T")
NOW = from_ms(T0_MS)
_STATE: Mapping[Any, tuple[str, ...]] = {
    IdentityLink: ("record_id", "kind", "identity_id", "how", "reason", "linked_by", "linked_at"),
    IdentityRow: ("id", "kind", "name", "created_at", "merged_into", "removed_at"),
    IdentityDecline: ("low_id", "high_id", "kind", "declined_by", "declined_at"),
}


def plant(store: Store, systems: Mapping[str, Sequence[Record]]) -> None:
    """Each system's records, as its integration of that name tells them."""
    for name, records in systems.items():
        SupplyFeed(store, add_integration(store, name, "msupply"))(*records)


def ids(store: Store, kind: str) -> dict[str, str]:
    """Record ids by peer id; peer ids of the systems planted must differ."""
    table = TABLES[kind].table
    with store.read() as connection:
        return dict(connection.execute(select(table.peer_id, table.id)).all())


def do(store: Store, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
    return store.write(lambda connection: act(connection, *arguments, **named)).result()


def ask(store: Store, query: Callable[..., T], *arguments: Any, **named: Any) -> T:
    with store.read() as connection:
        return query(connection, *arguments, **named)


def state_of(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    """Everything that an act changes, without the acts themselves."""
    with store.read() as connection:
        return {
            table.__tablename__: {
                tuple(row) for row in connection.execute(select(*(getattr(table, name) for name in columns)))
            }
            for table, columns in _STATE.items()
        }


def forget(connection: Connection) -> None:
    """An empty map."""
    for table in (*_STATE, IdentityAct, IdentitySuggestion):
        connection.execute(delete(table))


def two_catalogues(rng: Random, size: int) -> tuple[list[Known], list[Known], dict[str, str]]:
    """Two systems' items with known truth: {id in the first: id in the second}.

    Most of the first are in the second, written as another clerk would; both hold strengths and forms of the same
    substances that the other lacks, and some codes that mean something else there.
    """
    strengths = ("5", "10", "20", "25", "50", "100", "125", "200", "250", "400", "500", "1000")
    forms = (("tablet", "tab", "tabs"), ("capsule", "caps", "cap"), ("injection", "inj", "inj."), ("cream",) * 3)
    wanted = [(name, strength, form) for name in _SUBSTANCES for strength in strengths for form in forms]
    rng.shuffle(wanted)
    ours, theirs, truth = [], [], {}
    for n, (name, strength, form) in enumerate(wanted[:size]):
        own = Known(f"a{n:05}", "A", "mSupply", f"a{n}", f"MS{n:05}", f"{name.capitalize()} {strength} mg {form[0]}")
        fate = rng.random()
        if fate < 0.85:
            ours.append(own)
        if fate > 0.1:
            code = f"ms-{n}" if rng.random() < 0.3 else f"NH{rng.randrange(10**5):05}"
            if rng.random() < 0.05:
                code = f"MS{rng.randrange(size):05}"  # the code of something else
            theirs.append(Known(f"b{n:05}", "B", "NHLMIS", f"b{n}", code, _as_another_clerk(rng, name, strength, form)))
        if 0.1 < fate < 0.85:
            truth[own.id] = f"b{n:05}"
    rng.shuffle(theirs)
    return ours, theirs, truth


def _as_another_clerk(rng: Random, name: str, strength: str, form: Sequence[str]) -> str:
    if rng.random() < 0.1 and len(name) > 7:  # a slip of the pen
        at = rng.randrange(1, len(name) - 1)
        name = name[:at] + name[at + 1 :]
    amount = f"{int(strength) // 1000}g" if strength == "1000" and rng.random() < 0.5 else f"{strength}mg"
    word = form[rng.randrange(3)]
    return rng.choice((f"{name} {word} {amount}", f"{word} {name.upper()} {amount}", f"{name}, {amount} {word}"))


def two_registers(rng: Random, size: int) -> tuple[list[Known], list[Known], dict[str, str]]:
    """Two systems' facilities with known truth; the second writes names its own way and knows half of the places."""
    houses = (
        (("Primary Health Centre", "PHC", "Pry. Health Care Center"), 0.6),
        (("General Hospital", "Gen. Hosp.", "GH"), 0.15),
        (("Health Post", "H/Post", "HP"), 0.15),
        (("Maternity", "Maternity Home", "Maternity Clinic"), 0.1),
    )
    ours, theirs, truth = [], [], {}
    towns = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    rng.shuffle(towns)
    places = [(town, house) for town in towns for house, share in houses if rng.random() < share]
    rng.shuffle(places)
    for n, (town, house) in enumerate(places[:size]):
        lat, lon = 9.0 + rng.random(), 7.0 + rng.random()
        fate = rng.random()
        own = Known(f"a{n:05}", "A", "mSupply", f"a{n}", f"F{n:04}", f"{town} {house[0]}", lat=lat, lon=lon)
        if fate < 0.85:
            ours.append(own)
        if fate > 0.1:
            told = rng.random() < 0.5
            theirs.append(
                Known(
                    f"b{n:05}", "B", "NHLMIS", f"b{n}", f"{rng.randrange(10**6):06}",
                    rng.choice((f"{house[1]} {town}", f"{town} {house[2]}", f"{town.upper()} {house[1]}")),
                    lat=lat + rng.uniform(-1e-3, 1e-3) if told else None,
                    lon=lon + rng.uniform(-1e-3, 1e-3) if told else None,
                )
            )  # fmt: skip
        if 0.1 < fate < 0.85:
            truth[own.id] = f"b{n:05}"
    rng.shuffle(theirs)
    return ours, theirs, truth


_FIRST = ("Anguwan", "Tudun", "Sabon", "Gidan", "Kasuwar", "Rafin", "Dutsen", "Kofar", "Bakin", "Fadan")
_SECOND = (
    "Dodo", "Wada", "Gari", "Mangoro", "Daji", "Sarki", "Kura", "Maji", "Rimi", "Zuba", "Kaura", "Bwari", "Lambu",
    "Yamma", "Gabas", "Hausa", "Makera", "Takalmi", "Nama", "Gwari",
)  # fmt: skip
_SUBSTANCES = (
    "amoxicillin", "ampicillin", "artesunate", "atenolol", "azithromycin", "captopril", "carbamazepine", "cefixime",
    "ceftriaxone", "cefuroxime", "chloramphenicol", "chloroquine", "ciprofloxacin", "clarithromycin", "clindamycin",
    "diazepam", "diclofenac", "digoxin", "doxycycline", "enalapril", "erythromycin", "ethambutol", "fluconazole",
    "furosemide", "gentamicin", "glibenclamide", "griseofulvin", "haloperidol", "hydrocortisone", "ibuprofen",
    "isoniazid", "ketoconazole", "lamivudine", "levofloxacin", "lisinopril", "losartan", "metformin", "methyldopa",
    "metronidazole", "misoprostol", "nevirapine", "nifedipine", "nystatin", "omeprazole", "oxytocin", "paracetamol",
    "phenobarbital", "praziquantel", "prednisolone", "primaquine", "promethazine", "propranolol", "pyrazinamide",
    "quinine", "ranitidine", "rifampicin", "salbutamol", "spironolactone", "streptomycin", "tetracycline", "tinidazole",
    "tramadol", "zidovudine",
)  # fmt: skip


def a_few_items() -> dict[str, list[Record]]:
    """Three systems with four items each; the peer ids begin with the system's letter."""
    return {
        letter: [
            Item(f"{letter}{n}", f"{letter.upper()}{n}", f"{name} {letter}", "tablet")
            for n, name in enumerate(("Alpha", "Beta", "Gamma", "Delta"))
        ]
        for letter in ("x", "y", "z")
    }


def a_few_facilities() -> dict[str, list[Record]]:
    return {
        "mSupply": [
            Facility("m1", "FC-001", "Karu Primary Health Centre", zone="FCT", lat=9.0241, lon=7.5703),
            Facility("m2", "FC-002", "Bwari General Hospital", zone="FCT"),
            Facility("m3", "FC-003", "Nyanya Clinic", zone="FCT"),
        ],
        "NHLMIS": [
            Facility("n1", "fc 1", "PHC Karu", zone="FCT", lat=9.0243, lon=7.5702),
            Facility("n2", "88", "Gen. Hosp. Bwari", zone="FCT"),
            Facility("n3", "99", "Zuba Maternity", zone="FCT"),
        ],
    }
