"""What the simulated mSupply holds before anything moves: a state's medicines, facilities and programmes.

Names of medicines are from Nigeria's list of essential medicines in general use, places are local government areas of
Niger State; codes, batches and numbers are made up, the same for the same seed.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Any

Node = dict[str, Any]
NAMESPACE = uuid.UUID("6f1d8f0e-9f5b-4d0e-8f6a-0c1a5e5b7d11")


def made_id(*parts: object) -> str:
    """An id that is the same for the same parts."""
    return str(uuid.uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


PROGRAMS = (
    ("Malaria", "MAL", False),
    ("HIV and AIDS", "HIV", False),
    ("Tuberculosis and leprosy", "TBL", False),
    ("Family planning", "FP", False),
    ("Immunisation", "EPI", True),
    ("Maternal and child health", "MCH", False),
)

# name | strengths and forms | unit | pack size | programme ("" for essential medicines of no programme)
_MEDICINES = """
Artemether/Lumefantrine|20/120 mg tablets (6x1);20/120 mg tablets (6x2);20/120 mg tablets (6x3)|tablet|30|MAL
Artemether/Lumefantrine adult|20/120 mg tablets (6x4);80/480 mg tablets|tablet|30|MAL
Artesunate injection|30 mg vial;60 mg vial;120 mg vial|vial|1|MAL
Artesunate suppository|100 mg;200 mg|suppository|6|MAL
Sulfadoxine/Pyrimethamine|500/25 mg tablets|tablet|150|MAL
Amodiaquine/Sulfadoxine/Pyrimethamine|75 mg dispersible;150 mg dispersible|tablet|50|MAL
Malaria rapid diagnostic test|HRP2 single;HRP2/pLDH|test|25|MAL
Insecticide-treated net|rectangular 160x180x170;rectangular 190x180x150|net|40|MAL
Tenofovir/Lamivudine/Dolutegravir|300/300/50 mg tablets|tablet|30|HIV
Abacavir/Lamivudine|120/60 mg dispersible;600/300 mg tablets|tablet|60|HIV
Abacavir/Dolutegravir/Lamivudine|60/5/30 mg dispersible|tablet|90|HIV
Atazanavir/Ritonavir|300/100 mg tablets|tablet|30|HIV
Lopinavir/Ritonavir|100/25 mg tablets;200/50 mg tablets;40/10 mg granules|tablet|60|HIV
Zidovudine/Lamivudine|300/150 mg tablets;60/30 mg dispersible|tablet|60|HIV
Dolutegravir|10 mg dispersible;50 mg tablets|tablet|30|HIV
Nevirapine oral suspension|10 mg/ml, 100 ml;10 mg/ml, 240 ml|bottle|1|HIV
Cotrimoxazole|120 mg dispersible;480 mg tablets;960 mg tablets;240 mg/5 ml suspension|tablet|500|HIV
Isoniazid|100 mg dispersible;300 mg tablets|tablet|672|TBL
Isoniazid/Rifapentine|300/300 mg tablets|tablet|36|TBL
HIV rapid test|Determine 1/2;Uni-Gold;Stat-Pak|test|100|HIV
Condom, male|53 mm;49 mm|piece|144|FP
Condom, female|nitrile|piece|100|FP
Rifampicin/Isoniazid/Pyrazinamide/Ethambutol|150/75/400/275 mg tablets|tablet|672|TBL
Rifampicin/Isoniazid|150/75 mg tablets;75/50 mg dispersible|tablet|672|TBL
Bedaquiline|20 mg dispersible;100 mg tablets|tablet|188|TBL
Linezolid|150 mg dispersible;600 mg tablets|tablet|10|TBL
Clofazimine|50 mg tablets;100 mg capsules|tablet|100|TBL
Levofloxacin|100 mg dispersible;250 mg tablets;500 mg tablets|tablet|100|TBL
Ethinylestradiol/Levonorgestrel|30/150 mcg cycle|cycle|3|FP
Levonorgestrel|1.5 mg tablet;30 mcg cycle|tablet|1|FP
Medroxyprogesterone depot|150 mg/ml vial;104 mg/0.65 ml uniject|vial|100|FP
Etonogestrel implant|68 mg rod|piece|1|FP
Levonorgestrel implant|2x75 mg rods|piece|1|FP
Copper IUD|T 380A|piece|1|FP
BCG vaccine|20 doses|vial|50|EPI
Oral polio vaccine (bivalent)|20 doses|vial|50|EPI
Inactivated polio vaccine|5 doses;10 doses|vial|10|EPI
Pentavalent vaccine|10 doses|vial|50|EPI
Pneumococcal conjugate vaccine|4 doses|vial|50|EPI
Measles-rubella vaccine|10 doses|vial|50|EPI
Meningococcal A vaccine|10 doses|vial|50|EPI
Yellow fever vaccine|10 doses|vial|50|EPI
Tetanus-diphtheria vaccine|10 doses|vial|50|EPI
Human papillomavirus vaccine|1 dose|vial|10|EPI
Rotavirus vaccine|1 dose;5 doses|tube|50|EPI
Hepatitis B vaccine|1 dose;10 doses|vial|50|EPI
Auto-disable syringe|0.05 ml;0.5 ml|piece|100|EPI
Safety box|5 litre|piece|25|EPI
Oxytocin injection|10 IU/ml ampoule|ampoule|10|MCH
Carbetocin injection|100 mcg/ml ampoule|ampoule|10|MCH
Misoprostol|200 mcg tablets|tablet|4|MCH
Magnesium sulfate injection|500 mg/ml, 10 ml|ampoule|10|MCH
Calcium gluconate injection|100 mg/ml, 10 ml|ampoule|10|MCH
Ferrous sulfate/Folic acid|200/0.4 mg tablets|tablet|1000|MCH
Folic acid|0.4 mg tablets;5 mg tablets|tablet|1000|MCH
Zinc sulfate|20 mg dispersible|tablet|100|MCH
Oral rehydration salts|20.5 g sachet;co-pack with zinc|sachet|100|MCH
Vitamin A|100000 IU capsule;200000 IU capsule|capsule|500|MCH
Chlorhexidine gel|7.1 %, 25 g|tube|10|MCH
Amoxicillin|125 mg dispersible;250 mg dispersible;250 mg capsules;500 mg capsules;125 mg/5 ml suspension|capsule|100|
Amoxicillin/Clavulanic acid|228 mg/5 ml suspension;457 mg/5 ml suspension;625 mg tablets;1 g tablets|tablet|14|
Ampicillin injection|500 mg vial;1 g vial|vial|50|
Azithromycin|200 mg/5 ml suspension;250 mg capsules;500 mg tablets|tablet|3|
Benzylpenicillin injection|1 MU vial;5 MU vial|vial|50|
Benzathine penicillin injection|1.2 MU vial;2.4 MU vial|vial|50|
Ceftriaxone injection|250 mg vial;500 mg vial;1 g vial|vial|10|
Cefuroxime|125 mg/5 ml suspension;250 mg tablets;500 mg tablets;750 mg vial|tablet|10|
Ciprofloxacin|250 mg tablets;500 mg tablets;2 mg/ml infusion|tablet|100|
Clindamycin|150 mg capsules;300 mg capsules|capsule|100|
Doxycycline|100 mg capsules|capsule|1000|
Erythromycin|125 mg/5 ml suspension;250 mg tablets;500 mg tablets|tablet|100|
Flucloxacillin|125 mg/5 ml suspension;250 mg capsules;500 mg capsules|capsule|100|
Gentamicin injection|20 mg/2 ml;80 mg/2 ml|ampoule|100|
Metronidazole|200 mg tablets;400 mg tablets;200 mg/5 ml suspension;500 mg infusion|tablet|1000|
Nitrofurantoin|50 mg capsules;100 mg capsules|capsule|100|
Acyclovir|200 mg tablets;400 mg tablets;5 % cream|tablet|25|
Fluconazole|50 mg capsules;150 mg capsules;200 mg capsules;2 mg/ml infusion|capsule|10|
Griseofulvin|125 mg tablets;500 mg tablets|tablet|100|
Clotrimazole|1 % cream;100 mg pessary;500 mg pessary|tube|10|
Nystatin|100000 IU/ml suspension|bottle|1|
Albendazole|200 mg tablets;400 mg tablets;100 mg/5 ml suspension|tablet|100|
Mebendazole|100 mg tablets;500 mg tablets|tablet|1000|
Praziquantel|600 mg tablets|tablet|1000|
Ivermectin|3 mg tablets|tablet|500|
Paracetamol|100 mg dispersible;500 mg tablets;120 mg/5 ml syrup;125 mg suppository;10 mg/ml infusion|tablet|1000|
Ibuprofen|100 mg/5 ml suspension;200 mg tablets;400 mg tablets|tablet|1000|
Diclofenac|50 mg tablets;75 mg/3 ml injection|tablet|100|
Acetylsalicylic acid|75 mg tablets;300 mg tablets|tablet|100|
Tramadol|50 mg capsules;50 mg/ml injection|capsule|100|
Morphine|10 mg tablets;10 mg/ml injection;10 mg/5 ml oral liquid|tablet|60|
Pentazocine injection|30 mg/ml|ampoule|10|
Ketamine injection|50 mg/ml, 10 ml|vial|10|
Lidocaine injection|1 %, 50 ml;2 %, 20 ml|vial|10|
Bupivacaine heavy injection|5 mg/ml, 4 ml|ampoule|5|
Propofol injection|10 mg/ml, 20 ml|ampoule|5|
Suxamethonium injection|50 mg/ml|ampoule|10|
Atropine injection|0.6 mg/ml;1 mg/ml|ampoule|100|
Adrenaline injection|1 mg/ml|ampoule|10|
Hydrocortisone|100 mg vial;1 % cream|vial|10|
Prednisolone|5 mg tablets|tablet|1000|
Dexamethasone|0.5 mg tablets;4 mg/ml injection|tablet|100|
Chlorphenamine|4 mg tablets;2 mg/5 ml syrup;10 mg/ml injection|tablet|1000|
Loratadine|10 mg tablets;5 mg/5 ml syrup|tablet|100|
Promethazine|25 mg tablets;25 mg/ml injection;5 mg/5 ml syrup|tablet|1000|
Salbutamol|2 mg tablets;4 mg tablets;100 mcg inhaler;5 mg/ml nebuliser|inhaler|1|
Beclometasone inhaler|50 mcg;100 mcg|inhaler|1|
Aminophylline injection|25 mg/ml, 10 ml|ampoule|10|
Amlodipine|5 mg tablets;10 mg tablets|tablet|28|
Lisinopril|5 mg tablets;10 mg tablets|tablet|28|
Losartan|50 mg tablets;100 mg tablets|tablet|28|
Hydrochlorothiazide|25 mg tablets|tablet|100|
Furosemide|40 mg tablets;10 mg/ml injection|tablet|1000|
Spironolactone|25 mg tablets;100 mg tablets|tablet|100|
Methyldopa|250 mg tablets|tablet|100|
Nifedipine retard|20 mg tablets;30 mg tablets|tablet|100|
Hydralazine injection|20 mg ampoule|ampoule|5|
Labetalol|100 mg tablets;5 mg/ml injection|tablet|56|
Propranolol|40 mg tablets|tablet|100|
Atorvastatin|10 mg tablets;20 mg tablets;40 mg tablets|tablet|28|
Digoxin|0.25 mg tablets;0.25 mg/ml injection|tablet|100|
Metformin|500 mg tablets;850 mg tablets;1 g tablets|tablet|100|
Glibenclamide|5 mg tablets|tablet|100|
Glimepiride|2 mg tablets;4 mg tablets|tablet|30|
Insulin, soluble|100 IU/ml vial|vial|1|
Insulin, isophane|100 IU/ml vial|vial|1|
Insulin, premixed 30/70|100 IU/ml vial;100 IU/ml pen|vial|1|
Glucose|5 % infusion, 500 ml;10 % infusion, 500 ml;50 % injection, 100 ml|bottle|20|
Sodium chloride|0.9 % infusion, 500 ml;0.9 % infusion, 1 litre|bottle|20|
Ringer lactate|infusion, 500 ml;infusion, 1 litre|bottle|20|
Potassium chloride injection|150 mg/ml|ampoule|10|
Sodium bicarbonate injection|8.4 %, 50 ml|vial|10|
Water for injection|5 ml;10 ml|ampoule|100|
Mannitol infusion|20 %, 500 ml|bottle|20|
Omeprazole|20 mg capsules;40 mg vial|capsule|28|
Ranitidine|150 mg tablets;25 mg/ml injection|tablet|100|
Aluminium/Magnesium hydroxide|tablets;suspension, 200 ml|tablet|1000|
Metoclopramide|10 mg tablets;5 mg/ml injection|tablet|100|
Hyoscine butylbromide|10 mg tablets;20 mg/ml injection|tablet|100|
Bisacodyl|5 mg tablets;10 mg suppository|tablet|100|
Carbamazepine|200 mg tablets;100 mg/5 ml suspension|tablet|100|
Phenobarbital|30 mg tablets;60 mg tablets;200 mg/ml injection|tablet|1000|
Phenytoin|100 mg capsules;50 mg/ml injection|capsule|100|
Sodium valproate|200 mg tablets;200 mg/5 ml syrup|tablet|100|
Diazepam|5 mg tablets;5 mg/ml injection|tablet|100|
Amitriptyline|25 mg tablets|tablet|100|
Fluoxetine|20 mg capsules|capsule|28|
Haloperidol|5 mg tablets;5 mg/ml injection|tablet|100|
Chlorpromazine|100 mg tablets;25 mg/ml injection|tablet|100|
Risperidone|2 mg tablets|tablet|60|
Trihexyphenidyl|5 mg tablets|tablet|100|
Tranexamic acid|500 mg tablets;100 mg/ml injection|tablet|100|
Vitamin K injection|1 mg/0.5 ml;10 mg/ml|ampoule|10|
Vitamin B complex|tablets;injection|tablet|1000|
Vitamin C|100 mg tablets;500 mg/5 ml injection|tablet|1000|
Heparin injection|5000 IU/ml|vial|10|
Snake antivenom|10 ml vial|vial|1|
Rabies vaccine|2.5 IU vial|vial|1|
Tetanus antitoxin|1500 IU ampoule|ampoule|10|
Tetracycline eye ointment|1 %, 5 g|tube|50|
Chloramphenicol eye drops|0.5 %, 10 ml|bottle|10|
Gentian violet|0.5 % solution|bottle|1|
Povidone iodine|10 % solution, 200 ml|bottle|12|
Methylated spirit|500 ml;4 litre|bottle|12|
Sodium hypochlorite|3.5 %, 4 litre|bottle|4|
Gloves, examination|small;medium;large|piece|100|
Gloves, surgical|size 6.5;size 7;size 7.5;size 8|pair|50|
Syringe with needle|2 ml;5 ml;10 ml;20 ml|piece|100|
Cannula|18 G;20 G;22 G;24 G|piece|100|
Giving set|infusion;blood|piece|100|
Cotton wool|100 g;500 g|roll|1|
Gauze bandage|5 cm;10 cm|roll|12|
Catgut suture|size 0;size 1;size 2/0|piece|12|
Urinary catheter|size 14;size 16;size 18|piece|10|
Ready-to-use therapeutic food|92 g sachet|sachet|150|MCH
Therapeutic milk F-75|400 g tin|tin|24|MCH
Therapeutic milk F-100|400 g tin|tin|24|MCH
"""

PLACES = (
    "Minna", "Bida", "Kontagora", "Suleja", "New Bussa", "Lapai", "Agaie", "Rijau", "Kagara", "Mokwa", "Kuta",
    "Paiko", "Sarkin Pawa", "Wushishi", "Zungeru", "Lemu", "Katcha", "Edati Enagi", "Mashegu", "Nasko", "Gulu",
    "Kaffin Koro", "Gawu Babangida", "Diko", "Maikunkele", "Chanchaga", "Tegina", "Auna", "Ibeto", "Papiri",
    "Wawa", "Babanna", "Kutigi", "Doko", "Badeggi", "Baro", "Izom", "Tafa", "Sabon Wuse", "Ibbi",
)  # fmt: skip


class Catalogue:
    """``items`` items of a state; the first come from the list, further ones are further makes of them."""

    def __init__(self, *, items: int, facilities: int, seed: int) -> None:
        self.count = items
        self.seed = seed
        self._facilities = facilities
        self._made: dict[int, Node] = {}

    @cached_property
    def _listed(self) -> list[tuple[str, str, float, str]]:
        """Name with strength, unit, pack size, programme."""
        found = []
        for line in _MEDICINES.strip().splitlines():
            name, forms, unit, size, program = line.split("|")
            found += [(f"{name} {form}", unit, float(size), program) for form in forms.split(";")]
        return found

    @property
    def listed(self) -> int:
        return min(len(self._listed), self.count)

    def item(self, index: int) -> Node:
        """The item at a place of the order by code. Items of the list are kept, others made when asked for."""
        if index in self._made:
            return self._made[index]
        name, unit, size, program = self._listed[index % len(self._listed)]
        make = index // len(self._listed)
        node: Node = {
            "__typename": "ItemNode",
            "id": made_id("item", index),
            "code": f"NG{index:07d}",
            "name": f"{name}, make {make + 1}" if make else name,
            "type": "STOCK",
            "unitName": unit,
            "defaultPackSize": size,
            "strength": None,
            "isVaccine": program == "EPI" and unit in ("vial", "tube"),
            "doses": 10 if program == "EPI" else 0,
            "msupplyUniversalCode": f"{index % len(self._listed):08x}",
            "venCategory": ("V", "E", "N", "E")[index % 4],
            "_program": program,
            "_index": index,
        }
        if index < len(self._listed):
            self._made[index] = node
        return node

    def index_of(self, item_id: str) -> int | None:
        """The place of an item by its id; only items of the list stand in stock and papers."""
        return self._places.get(item_id)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {made_id("item", index): index for index in range(self.listed)}

    @cached_property
    def programs(self) -> list[Node]:
        return [
            {"id": made_id("program", code), "name": name, "elmisCode": code, "isImmunisation": immunises}
            for name, code, immunises in PROGRAMS
        ]

    def program(self, code: str) -> Node | None:
        return next((program for program in self.programs if program["elmisCode"] == code), None)

    def facility_names(self) -> Iterator[tuple[str, str]]:
        """Code and name of each facility."""
        for index in range(self._facilities):
            place = PLACES[index % len(PLACES)]
            level = "General Hospital" if index < 8 else "Primary Health Centre"
            ward = f" Ward {index // len(PLACES) + 1}" if index >= len(PLACES) else ""
            yield f"NGS{index + 1:03d}", f"{level} {place}{ward}"

    def rng(self, *parts: object) -> random.Random:
        """Chance that is the same for the same parts."""
        return random.Random(f"{self.seed}/{'/'.join(str(part) for part in parts)}")
