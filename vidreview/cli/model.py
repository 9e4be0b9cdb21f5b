"""``vidreview model``: which detector weights there are, fetching them once, and checking what lies here."""

from __future__ import annotations

from typing import Any

import click

from vidreview.cli import common


@click.group(name="model")
def command() -> None:
    """List, fetch and show detector weights. Only 'fetch' uses the network; a scan never does.

    \b
    Example:
      vidreview model fetch yolo26n
      vidreview model show
    """


@command.command(name="list")
@common.json_option
def list_models(as_json: bool) -> None:
    """List the models that vidreview knows, and which are installed.

    \b
    Example:
      vidreview model list --json
    """
    from vidreview.detect.weights import MODELS, installed_model

    rows: list[dict[str, Any]] = []
    for model in MODELS.values():
        path = installed_model(model.name)
        rows.append(
            {
                "name": model.name,
                "licence": model.licence,
                "about": model.about,
                "size": model.size,
                "sha256": model.sha256,
                "sources": [source.label for source in model.sources],
                "installed": None if path is None else str(path),
            }
        )
    if as_json:
        common.print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['licence']}  {'installed' if row['installed'] else 'not installed'}")
        click.echo(f"  {row['about']}")
        click.echo(f"  weights: {row['size']} bytes, SHA-256 {row['sha256']}")
        click.echo(f"  from: {'; '.join(row['sources'])}")


@command.command(name="fetch")
@click.argument("name", default="yolo26n")
@click.option("--force", is_flag=True, help="Download and export again, whatever is there.")
@common.loudness_options
@common.json_option
def fetch(name: str, force: bool, quiet: bool, verbose: bool, as_json: bool) -> None:
    """Download a model, check it against its pinned SHA-256 and export it to ONNX. Uses the network.

    \b
    Example:
      vidreview model fetch yolo26n
    """
    from vidreview.detect.weights import fetch_model

    done = fetch_model(name, force, lambda text: None if quiet else click.echo(text, err=True))
    if as_json:
        common.print_json({"path": str(done.path), "changed": done.changed, **done.record.to_json()})
    elif done.changed:
        click.echo(f"{name} is installed: {done.path}")
        click.echo(f"  weights SHA-256 {done.record.weights_sha256}, from {done.record.weights_source}")
        click.echo(f"  ONNX    SHA-256 {done.record.onnx_sha256}, {done.record.head} head")
    else:
        click.echo(f"{name} is already installed and is what was recorded: {done.path}")


@command.command(name="show")
@click.argument("model", required=False)
@common.json_option
def show(model: str | None, as_json: bool) -> None:
    """Show a model's licence, hashes, head and versions, and check that it is what was recorded.

    MODEL is a known name or a path; without it, the default model. Exit status 4 if a file is not what was recorded.

    \b
    Example:
      vidreview model show yolo26n
    """
    from vidreview.detect.weights import check_model

    facts = check_model(model)
    if as_json:
        common.print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        click.echo(f"{name.replace('_', ' ')}: {common.safe(str(value))}")
