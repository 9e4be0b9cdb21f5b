"""The documents say what the program does."""

from __future__ import annotations

import importlib.util
import re
import shlex
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from vidreview.cli import COMMANDS
from vidreview.settings import ScanSettings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "sample_data" / "README.md"])


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vidreview_make_cli", ROOT / "docs" / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _examples(text: str) -> list[list[str]]:
    """Every `vidreview …` command line in fenced blocks and code spans of a document, as words."""
    fenced = re.findall(r"^(?:\$ )?(vidreview [^\n]*)", text, re.MULTILINE)
    spans = re.findall(r"`(vidreview [^`\n]*)`", text)
    return [shlex.split(line.split("  #")[0]) for line in fenced + spans]


def _known(words: list[str]) -> list[str]:
    """What is wrong with a command line: an unknown command, subcommand or option."""
    by_name = {typed: command for typed, command, _ in _generator().commands()}
    typed, rest = "vidreview", words[1:]
    while rest and not rest[0].startswith("-") and isinstance(by_name[typed], click.Group):
        if f"{typed} {rest[0]}" not in by_name:
            return [f"no command {typed} {rest[0]}"] if rest[0].islower() else []
        typed, rest = f"{typed} {rest[0]}", rest[1:]
    options = {o for parameter in by_name[typed].params for o in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"--help", "-h"}
    given = [word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return [f"{typed} has no option {word}" for word in given if word not in options]


def test_the_reference_is_what_the_commands_say() -> None:
    generator = _generator()
    written = generator.TARGET.read_text(encoding="utf-8")
    assert written == generator.render(), "run `make docs`"


def _rules() -> Any:
    spec = importlib.util.spec_from_file_location("vidreview_make_rules", ROOT / "docs" / "make_rules.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_rule_of_the_field_has_tests_that_name_it() -> None:
    rules = _rules()
    proofs = rules.tests_by_rule()
    assert [rule for rule in rules.RULES if not proofs.get(rule)] == []
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == rules.page(), "run 'make docs'"


def test_the_names_of_rules_are_read_from_what_tests_say() -> None:
    named = _rules().named
    assert named("Rules A10, C3 and E2: x") == {"A10", "C3", "E2"}
    assert named("it ends (rule A7).") == {"A7"}
    assert named("the observations C1 and C2, no rule") == set()


def test_every_command_has_help_with_an_example_that_it_accepts() -> None:
    for typed, command, context in _generator().commands():
        text = command.get_help(context)
        assert command.help, f"{typed} has no help"
        examples = [e for e in _examples(re.sub(r"^ +", "", text, flags=re.MULTILINE)) if "Usage:" not in e]
        assert "Example" in text, f"{typed} has no example"
        assert any(" ".join(e).startswith(typed) for e in examples), f"{typed} has no example of itself"
        for example in examples:
            assert not _known(example), f"help of {typed}: {_known(example)}"


def test_every_command_stands_in_the_reference_and_in_the_readme() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"\n## vidreview {name}\n" in reference
        assert f"vidreview {name}" in readme


def test_the_check_of_documents_sees_what_is_wrong() -> None:
    assert _known(["vidreview", "scna", "x"]) == ["no command vidreview scna"]
    assert _known(["vidreview", "model", "fetsh"]) == ["no command vidreview model fetsh"]
    assert _known(["vidreview", "scan", "x", "--kase", "y"]) == ["vidreview scan has no option --kase"]
    assert _known(["vidreview", "scan", "x", "--case", "y"]) == []
    assert len(_examples((ROOT / "README.md").read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_the_documents_exist(path: Path) -> None:
    wrong = [problem for words in _examples(path.read_text(encoding="utf-8")) for problem in _known(words)]
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_make_targets_in_the_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not link.startswith("https://"):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
    targets = set(re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(r"^(?:\$ )?make ([a-z_]+)|`make ([a-z_]+)`", text, re.MULTILINE):
        assert set(filter(None, target)) <= targets


def test_the_table_of_settings_is_the_settings() -> None:
    text = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \| ([0-9.]+) \| (\S.*) \|$", text, re.MULTILINE)
    assert [(name, float(value)) for name, value, _ in table] == [
        (spec.name, float(getattr(ScanSettings(), spec.name))) for spec in fields(ScanSettings)
    ]


def test_the_readme_begins_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"```(?:sh|console)\n(.*?)```", readme, re.DOTALL)
    assert first is not None
    assert re.findall(r"^make (\w+)", first[1], re.MULTILINE) == ["demo", "test"]


def test_words_that_are_not_ours() -> None:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").lower()
        for word in ("suspect", "nothing found", "enhanced", "identified as"):
            assert word not in text, f"{path.name} says {word!r}"


def test_the_changelog_names_changed_results() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    assert "\n## [Unreleased]\n" in text
    assert "\n### Results changed\n" in text
