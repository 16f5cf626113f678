"""The readable page of an evidence pack: one HTML file without scripts, links, or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from app.deliveries.proofs import ProofListing
from app.deliveries.steps import Step
from app.deliveries.thread import BatchThread, Thread
from app.deliveries.times import moment_words

_STATE_WORDS = {"done": "✓ known", "open": "○ open", "gap": "✗ GAP", "warning": "! look"}
_STYLE = """
body { font: 14px/1.5 sans-serif; margin: 2em auto; max-width: 60em; color: #171717; }
table { border-collapse: collapse; width: 100%; margin: 0.5em 0 1.5em; }
th, td { border: 1px solid #d4d4d4; padding: 0.4em 0.6em; text-align: left; vertical-align: top; }
th { background: #f5f5f5; } .gap { background: #fdecec; } .warning { background: #fdf6e3; } .open { color: #737373; }
.file { overflow-wrap: anywhere; } .file img { max-width: 20em; }
img { max-width: 100%; border: 1px solid #d4d4d4; }
"""


def page_of(
    thread: Thread,
    now_ms: int,
    made_by: str,
    *,
    map_file: str = "",
    no_map: str = "",
    files: Sequence[Sequence[Mapping[str, Any]]] = (),
) -> str:
    """``map_file`` lies in the pack beside the page; without it the page says ``no_map`` instead.

    ``files`` are the rows of :class:`app.deliveries.evidence_files.PackedFiles`, of one batch after the other.

    Everything from outside is escaped: it is text, never markup.
    """
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(thread.title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(thread.title)}</h1>",
        f"<p>Made {escape(moment_words(now_ms))} by {escape(made_by)}. Times are UTC.</p>",
        _map(map_file, no_map),
        _steps_table(thread.steps),
        _lines_table(thread),
    ]
    for number, one in enumerate(thread.batches):
        parts += [_batch(one), _files_table(files[number] if number < len(files) else ())]
    parts.append(
        "<h2>Verify this pack</h2><p>Run <code>python3 verify_evidence.py PACK.zip</code> with the script in this "
        "pack, or with a copy from elsewhere. It names every file that was changed, removed or added. MANIFEST.json "
        "lists all files with their SHA-256.</p></body></html>"
    )
    return "\n".join(parts)


def _map(file: str, no_map: str) -> str:
    if not file:
        return f'<p class="open">{escape(no_map)}</p>' if no_map else ""
    return f'<p><img src="{escape(file)}" alt="Map of the way, its stops by number, and where fuel went"></p>'


def _steps_table(steps: Sequence[Step]) -> str:
    rows = [
        f'<tr class="{step.state}"><td>{_STATE_WORDS[step.state]}</td><td>{escape(step.title)}</td>'
        f"<td>{escape(moment_words(step.at_ms) if step.at_ms is not None else '')}</td>"
        f"<td>{escape(step.detail)}{_since(step)}</td></tr>"
        for step in steps
    ]
    return _table(("State", "Step", "When", "What is known"), rows)


def _since(step: Step) -> str:
    if not step.is_gap:
        return ""
    since = f" Missing since {moment_words(step.since_ms)}." if step.since_ms is not None else ""
    return escape(f"{since} {step.next_step}")


def _lines_table(thread: Thread) -> str:
    if not thread.lines:
        return ""
    rows = [
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
        for cells in (
            (line.item_name, f"{line.units:g}", line.batch, line.expires_on or "", _known(line.accepted_units),
             _known(line.rejected_units), line.rejection_reason)
            for line in thread.lines
        )
    ]  # fmt: skip
    return "<h2>Lines</h2>" + _table(
        ("Item", "Units", "Batch", "Expires", "Accepted", "Rejected", "Reason of the rejection"), rows
    )


def _batch(one: BatchThread) -> str:
    batch = one.details.batch
    facts = f"{batch.driver_name or 'no driver'}, {batch.plate or 'no vehicle'}, {batch.stage.replace('_', ' ')}"
    head = f"<h2>Batch {escape(batch.name)}</h2><p>{escape(facts)}. {escape(one.joined)}</p>"
    return head + _table(
        ("Place", "Outcome", "When", "Recipient", "Photo", "Signature", "Items", "Verdict"),
        [_proof(proof) for proof in one.proofs if proof.proof.is_proof],
    )


def _proof(listing: ProofListing) -> str:
    proof = listing.proof
    items = "; ".join(f"{item.item} {_known(item.delivered)} of {_known(item.expected)}" for item in proof.items)
    verdict = "" if listing.verdict is None else f"{listing.verdict.verdict}: {' '.join(listing.verdict.reasons)}"
    cells = (
        listing.label, proof.outcome, moment_words(proof.at_ms), proof.recipient,
        listing.files_word(proof.photos, proof.photo), listing.files_word(proof.signatures, proof.signature), items,
        verdict.replace("no_evidence", "no independent evidence"),
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _files_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Pictures as they lie in the pack; browsers show none of what is no picture, and it is not offered to them."""
    if not rows:
        return ""

    def shown(row: Mapping[str, Any]) -> str:
        name = str(row["file"])
        if not name:
            return escape(str(row["missing"]))
        told = f"{escape(name.rpartition('/')[2])}<br>{escape(str(row['format']))}, {row['bytes']:,} bytes"
        is_shown = name.endswith((".jpg", ".png", ".webp", ".gif"))
        return (f'<img src="{escape(name)}" alt="{escape(str(row["kind"]))}"><br>' if is_shown else "") + told

    cells = [
        f"<tr><td>{escape(str(row['facility_name'] or row['facility']))}</td>"
        f"<td>{escape(str(row['kind']).replace('_', ' '))}</td><td>{escape(str(row['state']))}</td>"
        f'<td class="file">{shown(row)}</td></tr>'
        for row in rows
    ]
    return "<h3>Photos and signatures</h3>" + _table(("Place", "Kind", "State", "File"), cells)


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _known(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
