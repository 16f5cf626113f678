"""Two systems of one state as an operator meets them: the same items and houses, written by different offices."""

from __future__ import annotations

from functools import partial

from adapters.supply import Facility, Item, Program
from app.fleet.vehicles import add_vehicle
from app.store.store import Store
from tests.helpers.identity import plant

_ITEMS = (  # mSupply's code, name, unit; NHLMIS's code and name, "" where it has none
    ("AL0624", "Artemether + lumefantrine 20/120 mg, 6 × 4", "tablet", "NH-0012", "AL 20mg/120mg tab 6x4"),
    ("AMX250", "Amoxicillin 250 mg dispersible tablet", "tablet", "AMX 250", "Amoxycillin DT 250mg"),
    ("AMX500", "Amoxicillin 500 mg capsule", "capsule", "NH-0077", "Amoxicillin caps 500mg"),
    ("ART060", "Artesunate injection 60 mg", "vial", "ART-60", "Artesunate inj 60mg"),
    ("COT480", "Co-trimoxazole 480 mg", "tablet", "NH-0108", "Cotrimoxazole 400/80mg tabs"),
    ("DTG050", "Dolutegravir + lamivudine + tenofovir 50/300/300 mg", "tablet", "DTG50", "TLD 300/300/50mg"),
    ("GLV001", "Examination gloves, medium", "pair", "NH-0400", "Gloves, exam, medium 100's"),
    ("MMS001", "Multiple micronutrient supplement", "tablet", "", ""),
    ("ORS001", "Oral rehydration salts, low osmolarity", "sachet", "ORS-1", "ORS sachet"),
    ("OXY010", "Oxytocin injection 10 IU", "ampoule", "NH-0201", "Oxytocin inj. 10 I.U."),
    ("PAR500", "Paracetamol 500 mg", "tablet", "PAR500", "PCM tab 500mg"),
    ("QNN300", "Quinine sulphate 300 mg", "tablet", "", ""),
    ("ZNC020", "Zinc sulphate 20 mg dispersible tablet", "tablet", "NH-0310", "Zinc 20mg tab"),
    ("CIP500", "Ciprofloxacin 500 mg", "tablet", "NH-0066", "Ciprofloxacn 500mg tab"),
)
_ONLY_THERE = (
    ("NH-0500", "Surgical blade size 22"),
    ("NH-0501", "Amoxicillin 125 mg/5 ml susp"),
    ("NH-0502", "Ready to use therapeutic food 92 g"),
)
_HOUSES = (
    ("KAR", "Karu Primary Health Centre", "23/04/1/1/0012", "PHC Karu", 9.0241, 7.5703, 0.0006),
    ("BWA", "Bwari General Hospital", "23/01/2/1/0001", "Gen. Hosp. Bwari", 9.2790, 7.3810, 0.0011),
    ("NYA", "Nyanya Clinic", "23/04/1/1/0044", "Nyanya Health Centre", 9.0180, 7.5560, 0.0002),
    ("DAL", "Dutse Alhaji PHC", "23/01/1/1/0030", "Dutse-Alhaji Pry. Health Care Center", 9.1540, 7.3700, None),
    ("ZUB", "Zuba Health Post", "23/03/1/1/0007", "Zuba General Hospital", 9.1010, 7.2120, 0.02),
    ("SGA", "Sabon Gari PHC", "23/05/1/1/0002", "PHC Sabon Gari", None, None, None),
)


def plant_two_systems(store: Store) -> None:
    """Records of mSupply and NHLMIS, and vehicles of which one was noted twice."""
    ours: list[Item | Facility | Program] = [
        Item(f"it-{code}", code, name, unit, 100.0 if unit == "tablet" else 1.0) for code, name, unit, _c, _n in _ITEMS
    ]
    theirs: list[Item | Facility | Program] = [
        Item(f"orderable-{n}", code, name) for n, (_a, _b, _u, code, name) in enumerate(_ITEMS) if name
    ]
    theirs += [Item(f"only-{n}", code, name) for n, (code, name) in enumerate(_ONLY_THERE)]
    for code, name, other_code, other_name, lat, lon, off in _HOUSES:
        ours.append(Facility(f"fc-{code}", code, name, zone="FCT", lat=lat, lon=lon))
        near = None if off is None or lat is None else lat + off
        theirs.append(
            Facility(f"there-{code}", other_code, other_name, zone="FCT", lat=near, lon=None if near is None else lon)
        )
    for key, name in (("mal", "Malaria"), ("hiv", "HIV"), ("rmch", "Reproductive health")):
        ours.append(Program(f"pr-{key}", key.upper(), name))
        theirs.append(Program(f"their-{key}", key.upper(), name if key != "rmch" else "RMNCH"))
    plant(store, {"FCT mSupply": ours, "NHLMIS": theirs})
    for plate, name in (("ABJ-214-KT", "Truck 4"), ("ABJ 214 KT", "Kubwa truck"), ("KUJ-881-AA", "Hilux 2")):
        store.write(partial(add_vehicle, plate=plate, name=name, make_model="", notes="")).result()
