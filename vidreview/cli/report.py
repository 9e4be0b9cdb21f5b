"""``vidreview report``: one folder with everything that was found, for looking at without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import case_option, json_option, loudness_options, print_json, safe
from vidreview.cli.derive import open_batch, source_option
from vidreview.cli.filters import check_filters, filter_options
from vidreview.cli.tables import LEADS, say_left_out, tell_of_colours

if TYPE_CHECKING:
    from vidreview.report.build import Built


class _Typed(click.Command):
    """A command that remembers its options as they were typed, before they become values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = self.make_parser(ctx).parse_args(list(args))[0]
        return super().parse_args(ctx, args)


@click.command("report", cls=_Typed)
@case_option
@filter_options
@click.option(
    "--order",
    type=click.Choice(["start", "duration", "score", "peak", "count"]),
    default="start",
    show_default=True,
    help="Order of the events in it, as for 'vidreview events'.",
)
@click.option(
    "--clips/--no-clips",
    default=True,
    show_default=True,
    help="Clips (evidential and for viewing) and lossless stills of every event, or pictures for looking at alone.",
)
@click.option("--pdf", is_flag=True, help="The same facts as a printable PDF too.")
@click.option(
    "--validation",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="VIDREVIEW_VALIDATION",
    help="Output of 'vidreview validate --json': what the method was measured to find (or set VIDREVIEW_VALIDATION).",
)
@source_option
@json_option
@loudness_options
def command(
    case: Path,
    clips: bool,
    pdf: bool,
    validation: Path | None,
    source: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **filters: Any,
) -> int:
    """Write the case's folder report: a page that opens from a disc without a network, in any current browser.

    It holds the events that the filters leave, with pictures, clips and courses; timeline with gaps and damage,
    activity, heat maps, coverage, method and integrity. Exhibits that pictures are made from are checked against their
    recorded hash first. Made again, it keeps what has not changed, and the old report stays until the new one is
    whole; a report that was interrupted goes on from there.

    Exit status: 3 when pictures or clips of some events could not be made, 4 when an exhibit or the audit log is not
    what was recorded; the report is made all the same and says so.

    \b
    Examples:
      vidreview report
      vidreview report --class person --min-duration 2 --no-clips --case NMC-1-case --source /mnt/evidence
    """
    from vidreview.cli.progress import Steps
    from vidreview.index.filters import EventQuery
    from vidreview.index.query import Reader
    from vidreview.index.schema import now_utc
    from vidreview.index.words import filter_words
    from vidreview.report import Options, Wanted, build, load_validation

    words = _words(click.get_current_context(), filters)
    measured = load_validation(validation) if validation else None
    batch = open_batch(case, source, quiet)
    with Reader.open(case) as reader, Steps("events", quiet=quiet) as steps:
        check_filters(reader, filters)
        query = EventQuery(**filters)
        say_left_out(reader, query, "event")
        wanted = Wanted(
            reader.events(query),
            tuple(filter_words(query)),
            _command(words, clips, pdf),
            now_utc(),
            measured,
            reader.regions(query.regions_file),
        )
        built = build(reader, wanted, Options(clips, pdf), batch, steps)
        tell_of_colours(reader, query, for_programs=as_json)
    if as_json:
        print_json(_facts(built, case))
    elif not quiet:
        _print(built, verbose)
    return batch.status


def _words(context: click.Context, filters: dict[str, Any]) -> tuple[str, ...]:
    """The filters that were given, as they were typed, one for each value."""
    words = []
    for parameter in context.command.params:
        typed = context.meta[__name__].get(parameter.name)
        if parameter.name not in filters or typed is None:
            continue
        option = next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
        for one in typed if isinstance(typed, list) else [typed]:
            value = " ".join(map(str, one)) if isinstance(one, tuple) else str(one)
            words.append(
                option if isinstance(one, bool) or getattr(parameter, "is_flag", False) else f"{option} {value}"
            )
    return tuple(words)


def _command(words: tuple[str, ...], clips: bool, pdf: bool) -> str:
    return " ".join(["vidreview report", *words, *(["--no-clips"] if not clips else []), *(["--pdf"] if pdf else [])])


def _facts(built: Built, case: Path) -> dict[str, Any]:
    return {
        "page": str(built.page.relative_to(case)),
        "events": built.events,
        "made": built.made,
        "reused": built.reused,
        "incomplete": built.incomplete,
        "files": built.files,
        "bytes": built.size,
        "exhibits_checked": len(built.checked.exhibits),
        "exhibits_failed": [{"exhibit": name, "reason": why} for name, why in built.checked.failed.values()],
        "media_s": round(built.seconds, 3),
    }


def _print(built: Built, verbose: bool) -> None:
    click.echo(
        f"{safe(str(built.page))}: {built.events} event{'s' * (built.events != 1)}, {built.files} files, ", nl=False
    )
    click.echo(f"{built.size / 1e6:.1f} MB. Open it in a browser.")
    if built.incomplete:
        click.echo(f"Of {built.incomplete} events pictures or clips are missing; their cards say why.")
    if verbose:
        rate = f", {built.made / built.seconds:.1f} events a second" if built.made and built.seconds else ""
        click.echo(f"{built.made} made now{rate}; {built.reused} kept from an earlier report.")
    click.echo(LEADS)
