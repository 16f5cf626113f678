"""How good the suggestions are on two systems of which the truth is known, and how they are chosen."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest

from app.identity.kinds import Known
from app.identity.suggest import Suggestion, find_suggestions
from tests.helpers.identity import two_catalogues, two_registers


def quality(found: list[Suggestion], truth: dict[str, str]) -> tuple[float, float]:
    """Precision and recall of what was suggested."""
    right = sum(truth.get(one.low.id) == one.high.id for one in found)
    return right / len(found), right / len(truth)


def test_items_of_two_systems() -> None:
    ours, theirs, truth = two_catalogues(Random(7), 1_500)
    precision, recall = quality(found := find_suggestions("item", [*ours, *theirs]), truth)
    print(f"\nitems: {len(truth)} true pairs, {len(found)} suggested, precision {precision:.4f}, recall {recall:.4f}")
    assert precision >= 0.995
    assert recall >= 0.98
    certain = [one for one in found if one.is_certain]
    assert certain == [] or quality(certain, truth)[0] == 1.0


def test_facilities_of_two_systems() -> None:
    ours, theirs, truth = two_registers(Random(11), 220)
    precision, recall = quality(found := find_suggestions("facility", [*ours, *theirs]), truth)
    print(f"\nfacilities: {len(truth)} true, {len(found)} suggested, precision {precision:.4f}, recall {recall:.4f}")
    assert precision >= 0.98
    assert recall >= 0.97


_PARTS = (
    "ba", "ce", "do", "fi", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ro", "su", "ta", "vi", "xo", "za", "thi",
    "phe", "dro", "cil", "mox", "zol", "pril", "stat",
)  # fmt: skip


def test_a_hundred_thousand_items_on_each_side() -> None:
    """Measured, not judged: the machine is shared. What is judged is that it stays near linear and finds the truth."""
    rng = Random(3)
    names = sorted({"".join(rng.choices(_PARTS, k=rng.randint(3, 5))) for _ in range(9_000)})
    forms, strengths = ("tablet", "capsule", "injection", "cream"), (5, 10, 20, 25, 50, 100, 200, 250, 400, 500)
    wanted = [(name, form, strength) for name in names for form in forms for strength in strengths]
    rng.shuffle(wanted)
    short = {"tablet": "tab", "capsule": "caps", "injection": "inj", "cream": "cream"}
    ours, theirs = [], []
    for n, (name, form, strength) in enumerate(wanted[:100_000]):
        ours.append(Known(f"a{n:06}", "A", "A", f"a{n}", f"M{n:06}", f"{name.capitalize()} {strength} mg {form}"))
        code = f"M-{n}" if n % 3 == 0 else f"N{rng.randrange(10**7):07}"
        slip = name[:2] + name[3:] if n % 20 == 1 and len(name) > 7 else name
        theirs.append(Known(f"b{n:06}", "B", "B", f"b{n}", code, f"{short[form]} {slip.upper()} {strength}mg"))
    rng.shuffle(theirs)
    began, cpu = time.perf_counter(), time.process_time()
    found = find_suggestions("item", [*ours, *theirs])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    right = sum(one.low.id[1:] == one.high.id[1:] for one in found)
    print(
        f"\n100,000 × 100,000 items: {seconds:.1f} s ({cpu:.1f} s of processor), {len(found)} suggested, {right} right"
    )
    assert right / len(found) > 0.999
    assert right > 98_000


def item(letter: str, name: str, code: str = "", **other: object) -> Known:
    record = Known(f"{letter}-{name}-{code}", letter, letter.upper(), f"{letter}{name}", code, name)
    return replace(record, **other)  # type: ignore[arg-type]


def reasons(kind: str, *records: Known) -> list[str]:
    (found,) = find_suggestions(kind, records)
    return list(found.evidence.reasons)


def test_reasons_are_sentences() -> None:
    assert reasons(
        "item", item("a", "Amoxicillin 250 mg", "AMX-025"), item("b", "amoxycillin 250mg caps", "amx 25")
    ) == [
        "The codes mean the same: AMX-025 and amx 25.",
        "The names mean the same.",
        "Left open: only one names the form.",
    ]
    near = item("a", "Karu PHC", lat=9.0241, lon=7.5703), item("b", "PHC Karu", lat=9.0250, lon=7.5703)
    assert reasons("facility", *near) == ["The names mean the same.", "They are 100 m apart."]
    gtin = {"gtin": "04006381333931"}
    assert reasons("item", item("a", "X plaster", **gtin), item("b", "X plaster roll", **gtin))[0].startswith(
        "The trade item number (GTIN) is the same"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (item("a", "Amoxicillin 250 mg", "A1"), item("b", "Amoxicillin 500 mg", "A1")),
        (item("a", "Amoxicillin 250 mg", "A1"), item("b", "Surgical blade", "A1")),
        (item("a", "Amoxicillin 250 mg", "A1"), item("a", "Amoxicillin 250 mg", "A2")),
    ],
    ids=["another strength", "a code that means something else", "one system"],
)
def test_what_is_not_suggested(one: Known, other: Known) -> None:
    assert find_suggestions("item", [one, other]) == []


def test_places_far_apart_are_not_one() -> None:
    here, there = item("a", "Sabon Gari PHC", lat=9.0, lon=7.5), item("b", "Sabon Gari PHC", lat=12.0, lon=8.5)
    assert find_suggestions("facility", [here, there]) == []


def test_a_rival_is_named_and_costs() -> None:
    both = [item("b", "Sabon Gari PHC", "1"), item("b", "PHC Sabon Gari", "2")]
    (found,) = find_suggestions("facility", [item("a", "Sabon Gari Primary Health Centre", "x"), *both])
    assert found.rival is not None
    assert found.rival in both
    assert found.score == found.evidence.score - 15
    assert not found.is_certain


def test_what_was_declined_or_joined_is_left_alone() -> None:
    a, b, c = (item(letter, "Amoxicillin 250 mg") for letter in "abc")
    assert len(find_suggestions("item", [a, b, c])) == 3
    joined = {a.id: "one", b.id: "one"}
    left = find_suggestions("item", [a, b, c], identities=joined)
    assert [c in (one.low, one.high) for one in left] == [True]
    assert find_suggestions("item", [a, b, c], identities=joined, declined=[(a.id, c.id)]) == []
    second = item("a", "Amoxicillin 250 mg", "second")
    assert all(second not in (one.low, one.high) for one in find_suggestions("item", [a, b, second], identities=joined))


def test_only_equal_codes_with_agreeing_names_are_certain() -> None:
    def is_certain(one: Known, other: Known) -> bool:
        (found,) = find_suggestions("item", [one, other])
        return found.is_certain

    name = "Amoxicillin 250 mg capsule"
    assert is_certain(item("a", name, "A-1"), item("b", "Amoxycillin caps 250mg", "a-1"))
    assert not is_certain(item("a", name, "A-1"), item("b", name, "A1"))
    assert not is_certain(item("a", name), item("b", name))
    assert not is_certain(item("a", name, "A-1"), item("b", "Amoxycillin", "A-1"))


def test_vehicles_meet_by_plate_alone() -> None:
    cars = [
        Known("1", "", "", "1", "ABJ-214-KT", "Big truck"),
        Known("2", "", "", "2", "abj 214 kt", "Hilux"),
        Known("3", "", "", "3", "KUJ-881-AA", "Big truck"),
    ]
    (found,) = find_suggestions("vehicle", cars)
    assert (found.low.id, found.high.id) == ("1", "2")
