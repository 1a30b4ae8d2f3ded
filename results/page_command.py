"""`emodose report`: the words of the command; what it does is in `results.page`."""

from pathlib import Path

import click


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o", "--out", default=Path("results", "figures", "report"), show_default=True,
    type=click.Path(path_type=Path), help="Folder for report.html, report.md, report.json and figures.",
)  # fmt: skip
@click.option(
    "--hypotheses", type=click.Path(path_type=Path), help="YAML of what was declared before the runs."
)
@click.option(
    "--viewer", default="http://127.0.0.1:7575/", show_default=True,
    help="Where the links to the runs lead: inspect view's address, or a bundle's folder beside the page.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail on a log that can't be used, instead of naming it.")
def report(logs: tuple[str, ...], out: Path, hypotheses: Path | None, viewer: str, strict: bool) -> None:
    """Write what the logs show as one page for a browser, with figures, numbers and quoted evidence.

    LOGS are files, folders (searched to any depth) or URLs. The page needs no network; the same numbers
    stand beside it as Markdown and JSON.
    """
    from results.hypotheses import read_hypotheses
    from results.page import write

    declared = read_hypotheses(hypotheses) if hypotheses else None
    written = write(logs, out, hypotheses=declared, viewer=viewer, strict=strict, progress=True)
    for path in (written.markdown, written.numbers, written.page):
        click.echo(f"report: {path}")
