"""Names written in several ways, and names that must never be taken for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity.medicines import compare_medicines, parse_medicine
from app.identity.places import compare_places, parse_place
from app.identity.words import is_near, normal_code, overlap, with_slips


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amoxicillin 250 mg capsules", "AMOXYCILLIN CAPS 250MG"),
        ("Artemether + lumefantrine 20/120 mg, 6 × 4", "AL 20mg/120mg tab 6x4"),
        ("Oral rehydration salts, low osmolarity", "ORS sachet"),
        ("Co-trimoxazole 480 mg", "Cotrimoxazole 400/80mg"),
        ("Dolutegravir + lamivudine + tenofovir 50/300/300 mg", "TDF/3TC/DTG 300/300/50mg"),
        ("Paracetamol 120 mg/5 ml syrup", "PCM syr. 120mg/5ml"),
        ("Ceftriaxone 1 g injection", "Ceftriaxone inj 1,000 mg vial"),
        ("Oxytocin injection 10 IU", "Oxytocin inj. 10 I.U."),
        ("Zinc sulphate 20 mg dispersible tablet", "Zinc Sulfate 20mg DT"),
        ("Folic acid 5 mg tablet", "Folic acid 5000 mcg tabs"),
        ("Examination gloves, medium", "Gloves, exam, medium"),
        ("Sodium chloride 0.9 % 500 ml", "Sodium Chloride 0.9% infusion 0.5 L"),
    ],
)
def test_the_same_medicine(one: str, other: str) -> None:
    found = compare_medicines(parse_medicine(one), parse_medicine(other))
    assert (found.same, found.against) == (1.0, "")
    assert sum(cost for _why, cost in found.gaps) < 15


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Amoxicillin 250 mg", "Amoxicillin 500 mg", "strengths"),
        ("Amoxicillin 250 mg tablet", "Amoxicillin 250 mg capsule", "forms"),
        ("Paracetamol 125 mg/5 ml", "Paracetamol 120 mg/5 ml", "strengths"),
        ("AL 20/120 6x1", "AL 20/120 6x4", "packs"),
        ("Ferrous sulphate 200 mg", "Ferrous fumarate 200 mg", "salts"),
        ("Insulin 100 IU", "Insulin 100 mg", "strengths"),
        ("Gloves, large", "Gloves, small", "forms"),
        ("Eye ointment 1%", "Ear ointment 1%", "forms"),
        ("Lumefantrine 120 mg", "Artemether 20 mg / lumefantrine 120 mg", "strengths"),
    ],
)
def test_never_the_same_medicine(one: str, other: str, why: str) -> None:
    assert why in compare_medicines(parse_medicine(one), parse_medicine(other)).against


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Karu Primary Health Centre", "PHC Karu"),
        ("Karu Primary Health Centre", "Karu Pry. Health Care Center"),
        ("Bwari General Hospital", "Gen. Hosp. Bwari"),
        ("General Hospital, Bwari", "G.H. Bwari"),
        ("Ung. Dodo PHCC", "Anguwan Dodo P.H.C."),
        ("Karu PHC II", "PHC Karu 2"),
        ("Zuba H/Post", "Health Post Zuba"),
        ("Gwagwalada UTH", "University Teaching Hospital, Gwagwalada"),
    ],
)
def test_the_same_facility(one: str, other: str) -> None:
    found = compare_places(parse_place(one), parse_place(other))
    assert (found.same, found.against, found.gaps) == (1.0, "", ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Karu PHC", "Karu General Hospital"),
        ("Karu PHC 1", "PHC Karu II"),
        ("Bwari General Hospital", "Bwari Teaching Hospital"),
        ("Kubwa Pharmacy", "Kubwa Medical Store"),
    ],
)
def test_never_the_same_facility(one: str, other: str) -> None:
    assert compare_places(parse_place(one), parse_place(other)).against


def test_codes() -> None:
    assert normal_code("NG-0012 A") == normal_code("ng 12a") == "ng12a"
    assert normal_code("AMX 250") == normal_code("amx-250")
    assert normal_code("AMX250") != normal_code("AMX2500")
    assert [normal_code(code) for code in ("", " - ", "n/a", "NONE", "0", "000")] == [""] * 6


def test_slips() -> None:
    assert is_near("ciprofloxacin", "ciprofloxacn")
    assert is_near("ciprofloxacin", "ciprolfoxacin")
    assert is_near("ciprofloxacin", "ciproflaxacin")
    assert not is_near("ciprofloxacin", "levofloxacin")
    assert not is_near("karu", "kuru")
    assert overlap(frozenset({"artemeter", "lumefantrin"}), frozenset({"artemeter", "lumefantrn"})) == 0.99


@given(st.text(max_size=80))
def test_any_text_is_read_and_agrees_with_itself(text: str) -> None:
    medicine, place = parse_medicine(text), parse_place(text)
    assert compare_medicines(medicine, medicine).against == ""
    assert compare_places(place, place).against == ""
    assert parse_medicine(f"  {text.upper()}  ".lower()).strengths == parse_medicine(text.upper().lower()).strengths
    normal_code(text)


@given(st.text(alphabet="abcdefgh", min_size=5, max_size=12), st.data())
def test_words_with_one_slip_meet_in_a_block(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 2))
    kind = data.draw(st.sampled_from(["lost", "other", "swapped", "more"]))
    other = {
        "lost": word[:at] + word[at + 1 :],
        "other": word[:at] + "z" + word[at + 1 :],
        "swapped": word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        "more": word[:at] + "z" + word[at:],
    }[kind]
    if len(other) >= 5:
        assert is_near(word, other)
        assert is_near(other, word)
        assert with_slips(word) & with_slips(other)


@given(st.decimals(min_value=1, max_value=2000, places=1), st.decimals(min_value=1, max_value=2000, places=1))
def test_two_strengths_are_the_same_only_when_they_are(one: object, other: object) -> None:
    names = [parse_medicine(f"Amoxicillin {number} mg") for number in (one, other)]
    assert (compare_medicines(*names).against == "") == (one == other)
    assert compare_medicines(parse_medicine(f"X {one}mg"), parse_medicine(f"x {one} MG tablet")).against == ""
