"""What the simulated server knows from its first day: places, programmes, a catalogue, as a zone of Nigeria has them.

Names of places are those of local government areas around Kano; amounts and codes are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

STORE = ("NWZS", "North West Zonal Medical Store", "Kano", 12.002, 8.592)
"""Code, name, zone, latitude, longitude of the store that supplies."""

TOWNS = (
    ("Bichi", "Kano", 12.234, 8.241), ("Gwarzo", "Kano", 12.168, 7.933), ("Dawakin Tofa", "Kano", 12.106, 8.331),
    ("Tsanyawa", "Kano", 12.296, 7.985), ("Kura", "Kano", 11.771, 8.430), ("Rano", "Kano", 11.556, 8.583),
    ("Wudil", "Kano", 11.809, 8.839), ("Gaya", "Kano", 11.860, 9.003), ("Gezawa", "Kano", 12.099, 8.752),
    ("Karaye", "Kano", 11.784, 8.014), ("Bebeji", "Kano", 11.668, 8.271), ("Tudun Wada", "Kano", 11.249, 8.403),
    ("Sumaila", "Kano", 11.535, 8.964), ("Minjibir", "Kano", 12.178, 8.666), ("Dambatta", "Kano", 12.433, 8.516),
    ("Hadejia", "Jigawa", 12.453, 10.041), ("Gumel", "Jigawa", 12.628, 9.390), ("Kazaure", "Jigawa", 12.649, 8.411),
    ("Birnin Kudu", "Jigawa", 11.452, 9.478), ("Ringim", "Jigawa", 12.152, 9.162), ("Dutse", "Jigawa", 11.756, 9.339),
    ("Daura", "Katsina", 13.033, 8.318), ("Funtua", "Katsina", 11.523, 7.308), ("Malumfashi", "Katsina", 11.779, 7.619),
    ("Kankia", "Katsina", 12.551, 7.823), ("Mani", "Katsina", 12.861, 7.882), ("Dutsin Ma", "Katsina", 12.454, 7.497),
    ("Zaria", "Kaduna", 11.085, 7.720), ("Makarfi", "Kaduna", 11.376, 7.884), ("Ikara", "Kaduna", 11.177, 8.227),
)  # fmt: skip
FACILITY_KINDS = (("General Hospital", "hosp"), ("Primary Health Centre", "phc"))


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """A programme with its rules: levels of approval, whether authorising and periods may be skipped."""

    code: str
    name: str
    approvals: int
    skips_authorization: bool
    periods_skippable: bool


PROGRAMS = (
    ProgramFacts("MAL", "Malaria", 1, skips_authorization=False, periods_skippable=True),
    ProgramFacts("HIV", "HIV/AIDS", 2, skips_authorization=False, periods_skippable=False),
    ProgramFacts("FP", "Family Planning", 1, skips_authorization=True, periods_skippable=True),
    ProgramFacts("VAC", "Vaccines", 1, skips_authorization=False, periods_skippable=False),
)

PRODUCTS: dict[str, tuple[tuple[str, str, tuple[int, ...]], ...]] = {
    # programme: (product, its unit, units per pack of each presentation)
    "MAL": (
        ("Artemether/Lumefantrine 20/120 mg, 6 tablets", "tablet", (6, 30, 180)),
        ("Artemether/Lumefantrine 20/120 mg, 12 tablets", "tablet", (12, 30, 360)),
        ("Artemether/Lumefantrine 20/120 mg, 18 tablets", "tablet", (18, 30, 540)),
        ("Artemether/Lumefantrine 20/120 mg, 24 tablets", "tablet", (24, 30, 720)),
        ("Artemether/Lumefantrine 80/480 mg", "tablet", (6, 30)),
        ("Artesunate 60 mg powder for injection", "vial", (1, 10, 50)),
        ("Artesunate 100 mg rectal capsule", "capsule", (2, 10)),
        ("Artesunate/Amodiaquine 25/67.5 mg", "tablet", (3, 75)),
        ("Artesunate/Amodiaquine 50/135 mg", "tablet", (3, 75)),
        ("Artesunate/Amodiaquine 100/270 mg", "tablet", (3, 6, 150)),
        ("Sulfadoxine/Pyrimethamine 500/25 mg", "tablet", (3, 30, 1000)),
        ("Sulfadoxine/Pyrimethamine + Amodiaquine, 3 to 11 months", "blister", (1, 50)),
        ("Sulfadoxine/Pyrimethamine + Amodiaquine, 12 to 59 months", "blister", (1, 50)),
        ("Quinine dihydrochloride 300 mg/ml, 2 ml", "ampoule", (10, 100)),
        ("Quinine sulfate 300 mg", "tablet", (100, 1000)),
        ("Malaria rapid test P.f. HRP2", "test", (1, 25, 40)),
        ("Malaria rapid test P.f./Pan", "test", (25, 40)),
        ("Insecticide-treated net, rectangular", "net", (1, 40, 50)),
        ("Primaquine 7.5 mg", "tablet", (28, 100)),
        ("Primaquine 15 mg", "tablet", (28, 100)),
        ("Paracetamol 500 mg", "tablet", (10, 100, 1000)),
        ("Paracetamol 120 mg/5 ml syrup, 60 ml", "bottle", (1, 50)),
        ("Artemether 80 mg/ml injection", "ampoule", (5, 10)),
        ("Pyronaridine/Artesunate 180/60 mg", "tablet", (9, 90)),
        ("Zinc sulfate 20 mg dispersible", "tablet", (10, 100)),
        ("Oral rehydration salts, low osmolarity", "sachet", (1, 100)),
    ),
    "HIV": (
        ("Tenofovir/Lamivudine/Dolutegravir 300/300/50 mg", "tablet", (30, 90, 180)),
        ("Tenofovir/Lamivudine/Efavirenz 300/300/400 mg", "tablet", (30, 90)),
        ("Abacavir/Lamivudine 120/60 mg dispersible", "tablet", (30, 60)),
        ("Abacavir/Lamivudine/Dolutegravir 60/30/5 mg", "tablet", (90, 180)),
        ("Abacavir/Lamivudine 600/300 mg", "tablet", (30, 90)),
        ("Dolutegravir 50 mg", "tablet", (30, 90)),
        ("Dolutegravir 10 mg dispersible", "tablet", (30, 90)),
        ("Lopinavir/Ritonavir 100/25 mg", "tablet", (60, 120)),
        ("Lopinavir/Ritonavir 40/10 mg granules", "sachet", (120,)),
        ("Atazanavir/Ritonavir 300/100 mg", "tablet", (30, 90)),
        ("Zidovudine/Lamivudine 300/150 mg", "tablet", (60,)),
        ("Zidovudine 50 mg/5 ml solution, 240 ml", "bottle", (1, 20)),
        ("Nevirapine 50 mg/5 ml suspension, 100 ml", "bottle", (1, 25)),
        ("Nevirapine 50 mg dispersible", "tablet", (30, 60)),
        ("Emtricitabine/Tenofovir 200/300 mg", "tablet", (30, 90)),
        ("Darunavir 600 mg", "tablet", (60,)),
        ("Raltegravir 100 mg granules", "sachet", (60,)),
        ("Cotrimoxazole 960 mg", "tablet", (100, 500, 1000)),
        ("Cotrimoxazole 120 mg dispersible", "tablet", (100, 500)),
        ("Isoniazid 300 mg", "tablet", (28, 100, 672)),
        ("Isoniazid/Cotrimoxazole/Pyridoxine 300/960/25 mg", "tablet", (30, 90)),
        ("Fluconazole 200 mg", "capsule", (28, 100)),
        ("HIV test Determine 1/2", "test", (20, 100)),
        ("HIV test Uni-Gold", "test", (20,)),
        ("HIV test Stat-Pak", "test", (20,)),
        ("HIV self-test, oral fluid", "test", (1, 250)),
        ("Dried blood spot bundle", "kit", (20, 50)),
        ("CD4 cartridge, point of care", "cartridge", (100,)),
        ("Viral load reagent, 96 tests", "kit", (1, 4)),
        ("Rifapentine/Isoniazid 300/300 mg", "tablet", (36, 360)),
    ),
    "FP": (
        ("Male condom 53 mm", "piece", (1, 100, 144, 7200)),
        ("Female condom", "piece", (1, 100, 1000)),
        ("Levonorgestrel/Ethinylestradiol 0.15/0.03 mg + Fe", "cycle", (1, 3, 100)),
        ("Levonorgestrel 0.03 mg", "cycle", (1, 3, 100)),
        ("Levonorgestrel 1.5 mg", "tablet", (1, 100)),
        ("Medroxyprogesterone acetate 150 mg/ml injection", "vial", (1, 25, 100)),
        ("Medroxyprogesterone acetate 104 mg/0.65 ml self-injection", "piece", (1, 200)),
        ("Norethisterone enantate 200 mg injection", "ampoule", (1, 100)),
        ("Etonogestrel implant 68 mg", "set", (1, 10)),
        ("Levonorgestrel implant 2 x 75 mg", "set", (1, 10)),
        ("Copper IUD T 380A", "piece", (1, 20, 100)),
        ("Hormonal IUD 52 mg", "piece", (1, 10)),
        ("Cycle beads", "set", (1, 50)),
        ("Implant removal kit", "kit", (1, 20)),
        ("IUD insertion kit", "kit", (1, 20)),
        ("Auto-disable syringe 1 ml", "piece", (1, 100, 2400)),
        ("Pregnancy test strip", "test", (1, 50)),
        ("Lidocaine 1 % injection, 20 ml", "vial", (1, 25)),
        ("Povidone iodine 10 %, 200 ml", "bottle", (1, 24)),
        ("Examination gloves, medium", "pair", (50, 500)),
    ),
    "VAC": (
        ("BCG vaccine, 20 doses", "dose", (20, 200, 1000)),
        ("Oral polio vaccine (bOPV), 20 doses", "dose", (20, 200, 1000)),
        ("Inactivated polio vaccine (IPV), 10 doses", "dose", (10, 100)),
        ("Pentavalent vaccine, 10 doses", "dose", (10, 100, 500)),
        ("Pneumococcal conjugate vaccine, 4 doses", "dose", (4, 200)),
        ("Rotavirus vaccine, 1 dose", "dose", (1, 50, 600)),
        ("Measles vaccine, 10 doses", "dose", (10, 100, 500)),
        ("Measles diluent, 10 doses", "piece", (1, 100)),
        ("Yellow fever vaccine, 10 doses", "dose", (10, 100, 500)),
        ("Meningitis A vaccine, 10 doses", "dose", (10, 100, 500)),
        ("Tetanus-diphtheria vaccine, 10 doses", "dose", (10, 100)),
        ("Hepatitis B vaccine, 10 doses", "dose", (10, 100)),
        ("HPV vaccine, 1 dose", "dose", (1, 10)),
        ("Malaria vaccine R21, 2 doses", "dose", (2, 100)),
        ("COVID-19 vaccine, 5 doses", "dose", (5, 250)),
        ("Auto-disable syringe 0.5 ml", "piece", (1, 100, 2400)),
        ("Auto-disable syringe 0.05 ml", "piece", (1, 100, 2400)),
        ("Reconstitution syringe 5 ml", "piece", (1, 100, 1800)),
        ("Safety box 5 l", "piece", (1, 25, 100)),
        ("Vaccine carrier ice pack 0.4 l", "piece", (1, 24)),
        ("Child health card", "piece", (1, 500)),
        ("Vitamin A 200 000 IU", "capsule", (500, 1000)),
        ("Vitamin A 100 000 IU", "capsule", (100, 500)),
        ("Albendazole 400 mg", "tablet", (100, 1000)),
    ),
}

REJECTION_REASONS = ("Damaged in transport", "Wrong item", "Cold chain broken", "Expired on arrival", "Not delivered")

RIGHTS = (
    "STOCK_CARDS_VIEW", "STOCK_ADJUST", "REQUISITION_VIEW", "REQUISITION_CREATE", "REQUISITION_AUTHORIZE",
    "REQUISITION_APPROVE", "REQUISITION_DELETE",
)  # fmt: skip
"""Rights by programme and facility; those of :data:`STORE_RIGHTS` are by facility alone."""
STORE_RIGHTS = ("ORDERS_VIEW", "ORDERS_EDIT", "SHIPMENTS_VIEW", "SHIPMENTS_EDIT", "PODS_VIEW", "PODS_MANAGE")
