"""`emodose calibrate`: the words of the command; what it does is imported when it runs."""

from pathlib import Path

import click

ORGANISMS = Path("steering/organisms")


@click.command(epilog="For example: emodose calibrate -o results/reference/calibration")
@click.option(
    "--organism", type=click.Path(path_type=Path), default=ORGANISMS / "reference", show_default=True
)
@click.option("--null", type=click.Path(path_type=Path), default=ORGANISMS / "null", show_default=True,
              help="The organism without links.")  # fmt: skip
@click.option(
    "--logs", type=click.Path(path_type=Path), default=Path("results/logs/calibration"), show_default=True
)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("results/calibration"),
              show_default=True,
              help="OUT.md, OUT.json, OUT.svg and OUT.png are written.")  # fmt: skip
@click.option("--family", "families", multiple=True, help="Only this one; may be given again.")
@click.option("--workers", type=click.IntRange(1), help="Evaluations side by side; all processors.")
@click.option("--read-only", is_flag=True, help="Run nothing: read the logs that are there.")
def calibrate(
    organism: Path,
    null: Path,
    logs: Path,
    out: Path,
    families: tuple[str, ...],
    workers: int | None,
    read_only: bool,
) -> None:
    """Measure the instrument on organisms whose links are known: what was planted, and what is recovered.

    Goes on where it was killed: finished runs are not run again.
    """
    import os

    from results import calibrating
    from results.calibration import calibrate as compare
    from results.calibration_figure import draw
    from results.calibration_text import as_text
    from results.table import TableError, load

    plan = calibrating.load_plan()
    if unknown := set(families) - set(plan.variants):
        raise click.UsageError(f"--family {', '.join(sorted(unknown))}: choose {', '.join(plan.variants)}")
    todo = [
        part for part in calibrating.parts(plan, organism, null if null.is_dir() else None)
        if not families or part.family in families
    ]  # fmt: skip
    if not null.is_dir():
        click.echo(f"{null} is not there: no false findings are measured", err=True)
    if not read_only:
        calibrating.run(todo, logs, workers or os.cpu_count() or 1, lambda line: click.echo(line, err=True))
    tables = {}
    for kind in dict.fromkeys(part.organism for part in todo):
        folders = [logs / part.name for part in todo if part.organism == kind]
        if missing := [str(folder) for folder in folders if not folder.is_dir()]:
            raise TableError(f"no logs in {', '.join(missing)}: run without --read-only")
        tables[kind] = load(folders, strict=True)
    found = compare(
        tables[calibrating.LINKED],
        organism / "planted.yaml",
        tables.get(calibrating.NULL),
        null / "planted.yaml" if calibrating.NULL in tables else None,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text(as_text(found), encoding="utf-8")
    out.with_suffix(".json").write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draw(found, out)
    click.echo(as_text(found))
