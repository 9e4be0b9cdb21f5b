"""What was measured, as JSON and as a page, and where vidreview loses; nothing here measures or reads a clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = "vidreview-benchmarks/1"

#: what a claim is compared with when it is not a peer
TARGET = "target"


@dataclass(frozen=True, slots=True)
class Claim:
    """One comparison: of vidreview's figure with a target, or with a peer's figure."""

    #: what was compared, with the footage it was measured on
    what: str
    value: float
    bound: float
    #: which of the two is better
    better: Literal["lower", "higher"]
    unit: str = ""
    #: TARGET, or the name of the peer whose figure ``bound`` is
    against: str = TARGET
    #: whether an equal figure falls short
    strict: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure reaches the bound; a figure that is not a number never does."""
        if self.value == self.bound:
            return not self.strict
        return self.value < self.bound if self.better == "lower" else self.value > self.bound


@dataclass(frozen=True, slots=True)
class Table:
    """A table; cells are text, a number is given its unit in the heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the benchmark measured."""

    title: str
    #: how it was measured, in a sentence or two
    about: str
    runs: int
    tables: tuple[Table, ...] = ()
    claims: tuple[Claim, ...] = ()
    #: what a person would type; FILM, CASE and the like stand for paths
    commands: tuple[str, ...] = ()
    #: what the reader must know to judge the figures
    notes: tuple[str, ...] = ()
    #: package → version, of the peers
    versions: dict[str, str] = field(default_factory=dict)
    #: every single measurement, for programs
    figures: dict[str, Any] = field(default_factory=dict)


def part_to_json(part: Part, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A part as plain JSON values, with ``facts`` of its making: machine, date, versions of vidreview."""
    value = asdict(part)
    value["claims"] = [asdict(claim) | {"met": claim.met} for claim in part.claims]
    return dict(_plain(value | dict(facts)))


def _plain(value: Any) -> Any:
    """Tuples as lists, and what is not a number as None: JSON has neither."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def merge(old: Mapping[str, Any] | None, new: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The document with the parts of ``new`` in the place of the old ones; parts that did not run are kept."""
    kept = dict(old["parts"]) if old and old.get("format") == FORMAT else {}
    kept.update(new)
    return {"format": FORMAT, "parts": {name: kept[name] for name in order if name in kept}}


def claims_of(part: Mapping[str, Any]) -> list[Claim]:
    """The claims of a part of the document."""
    found = [{key: value for key, value in one.items() if key != "met"} for one in part["claims"]]
    return [Claim(**one | {key: math.nan for key in ("value", "bound") if one[key] is None}) for one in found]


def losses(document: Mapping[str, Any]) -> list[tuple[str, Claim]]:
    """Part and claim of every comparison in which a target is missed or a peer is better; targets come first."""
    found = [(name, one) for name, part in document["parts"].items() for one in claims_of(part) if not one.met]
    return sorted(found, key=lambda pair: pair[1].against != TARGET)


def number(value: float) -> str:
    """A number with three digits that count, and never with an exponent."""
    if value != value:
        return "not measured"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}"


def page(document: Mapping[str, Any]) -> str:
    """The whole page, docs/benchmarks.md."""
    parts = document["parts"]
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` from docs/benchmarks.json; nothing on this page is written by hand. Every figure is a",
        "median over runs in which vidreview and its peers took turns on one machine. Compare the ratios: the seconds",
        "are this machine's. `vidreview bench FILE` gives your own.",
        "",
        "## Targets",
        "",
        *_targets(document),
        "## Where vidreview loses",
        "",
        *_losses(document),
    ]
    for name, part in parts.items():
        lines += _part(name, part)
    return "\n".join(lines).rstrip() + "\n"


def _targets(document: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            claim.what,
            _value(claim),
            f"{_sign(claim)} {number(claim.bound)}{claim.unit}",
            "yes" if claim.met else "**no**",
        )
        for part in document["parts"].values()
        for claim in claims_of(part)
        if claim.against == TARGET
    ]
    return _table(Table(("what", "measured", "target", "met"), tuple(rows))) if rows else ["None was measured.", ""]


def _losses(document: Mapping[str, Any]) -> list[str]:
    found = losses(document)
    count = sum(len(part["claims"]) for part in document["parts"].values())
    if not found:
        return [f"In none of the {count} comparisons on this page.", ""]
    lines = [f"In {len(found)} of the {count} comparisons on this page; computed, not chosen.", ""]
    for name, claim in found:
        if claim.against == TARGET:
            told = f"{_value(claim)}, and the target is {_sign(claim)} {number(claim.bound)}{claim.unit}"
        elif claim.value == claim.bound:
            told = f"{_value(claim)}, and {claim.against} has the same"
        else:
            told = f"{_value(claim)}, and {claim.against} has {number(claim.bound)}{claim.unit}"
        lines.append(f"- {claim.what} ({name}): {told}")
    return [*lines, ""]


def _part(name: str, part: Mapping[str, Any]) -> list[str]:
    lines = [f"## {part['title']}", "", part["about"], ""]
    for table in part["tables"]:
        lines += _table(Table(tuple(table["head"]), tuple(map(tuple, table["rows"])), table["caption"]))
    lines += [f"- {note}" for note in part["notes"]]
    lines += [""] if part["notes"] else []
    if part["commands"]:
        lines += ["```console", *(f"$ {command}" for command in part["commands"]), "```", ""]
    with_runs = {0: "no run", 1: "one run"}.get(part["runs"], f"{part['runs']} alternating runs")
    packages = ", ".join(f"{package} {version}" for package, version in part["versions"].items())
    lines.append(
        f"Measured {part['date']} with vidreview {part['version']} ({part['commit']}), `--part {name}`, {with_runs}"
        f"{'; a quick run, whose figures mean little' if part.get('quick') else ''}; {_machine(part['machine'])}"
        f"{'; ' + packages if packages else ''}."
    )
    return [*lines, ""]


def _machine(machine: Mapping[str, Any]) -> str:
    decoders = machine["decoders"].get("libavcodec", "unknown")
    packages = machine["packages"]
    libraries = ", ".join(
        f"{one} {packages[one]}" for one in ("av", "numba", "numpy", "onnxruntime") if one in packages
    )
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}, Python {machine['python']}, {libraries}, "
        f"libavcodec {decoders}"
    )


def _value(claim: Claim) -> str:
    return "not measured" if claim.value != claim.value else f"{number(claim.value)}{claim.unit}"


def _sign(claim: Claim) -> str:
    if claim.strict:
        return "below" if claim.better == "lower" else "above"
    return "at most" if claim.better == "lower" else "at least"


def _table(table: Table) -> list[str]:
    lines = [table.caption, ""] if table.caption else []
    lines += [_row(table.head), _row(["---"] * len(table.head)), *map(_row, table.rows)]
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
