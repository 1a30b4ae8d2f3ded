"""The command line of emodose, and the public face of the library.

`from emodose import steered, Condition, extract` gives the parts that a program of one's own needs; they
and everything heavy are imported when they are asked for. What a command does is done in `results/`; here
are only its words.
"""

import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from results.calibration_commands import calibrate
from results.nightly.command import nightly
from results.page_command import report
from results.regression_commands import baseline, compare
from steering.commands import CorpusFiles, vector_commands

if TYPE_CHECKING:
    from steering.check import Workload
    from steering.condition import Condition
    from steering.extraction import extract
    from steering.readouts.texts import Texts
    from steering.session import steered

__all__ = ["Condition", "extract", "main", "steered"]

_BUNDLED = Path(__file__).parent / "scenarios" / "stories" / "bundled"
_RATINGS = _BUNDLED / "words.yaml"
_PUBLIC = {"Condition": "steering.condition", "extract": "steering.extraction", "steered": "steering.session"}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'emodose' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


class _Commands(click.Group):
    """Commands that are asked for by a name that is nearly theirs are suggested."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from results.wording import meant

            raise click.UsageError(
                f"{error.message.rstrip('.')}{meant(args[0], self.commands)}.", ctx
            ) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="emodose")
def cli() -> None:
    """How much does an emotion change what a language model does?

    Runs are made by Inspect (inspect eval evals/blackmail.py ...); these commands check a model and make
    its vectors before, and read the logs after.
    """


_logs = click.argument("logs", nargs=-1, required=True)
_outcome = click.option("--outcome", help="Outcome to count; the family's main one if not given.")
_strict = click.option(
    "--strict", is_flag=True, help="Fail on a log that can't be used, instead of naming it."
)


@cli.command()
@_logs
@click.option(
    "-o", "--out", type=click.Path(path_type=Path),
    help="FILE; FILE.svg and FILE.png. If not given, results/figures/OUTCOME.",
)  # fmt: skip
@_outcome
@click.option(
    "--dose", type=click.Choice(["strength", "kl"]), default="strength", show_default=True,
    help="Axis: strength, or divergence from the unsteered model (emodose vectors kl measures it).",
)  # fmt: skip
@click.option(
    "--vector", help="Names, e.g. desperate,calm: draw these only, over all controls; all if not given."
)
@_strict
def plot(
    logs: tuple[str, ...],
    out: Path | None,
    outcome: str | None,
    dose: Literal["strength", "kl"],
    vector: str | None,
    strict: bool,
) -> None:
    """Draw an outcome's rate against the dose, and print the numbers drawn."""
    from results.figure import dose_response
    from results.rates import as_text, main_outcome, main_outcomes, rates
    from results.table import load, of_vectors

    runs = load(logs, strict=strict, progress=True)
    if vector is not None:
        runs = of_vectors(runs, [name.strip() for name in vector.split(",")])
    # With a name of its own for a figure there can be one only; main_outcome says so.
    chosen = (
        [outcome or main_outcome(runs)]
        if outcome or out
        else list(dict.fromkeys(main_outcomes(runs).values()))
    )
    for one in chosen or [main_outcome(runs)]:
        click.echo(f"rate of {one}\n\n{as_text(rates(runs, one))}\n")
        for path in dose_response(runs, out or Path("results", "figures", one), one, dose):
            click.echo(f"figure: {path}")


@cli.command()
@_logs
@click.option(
    "-o", "--out", type=click.Path(path_type=Path),
    help="FILE.csv or FILE.parquet. If not given, results/tables/runs.parquet or rates.csv.",
)  # fmt: skip
@_outcome
@click.option("--rates", "per_dose", is_flag=True, help="One row per dose, with rate and interval.")
@_strict
def table(logs: tuple[str, ...], out: Path | None, outcome: str | None, per_dose: bool, strict: bool) -> None:
    """Write one row per run, or an outcome's rate per dose, as CSV or Parquet.

    LOGS are files, folders (searched to any depth) or URLs. An --outcome asks for its rates.
    """
    from results.rates import main_outcome, rates
    from results.table import check_ending, load, write

    per_dose = per_dose or outcome is not None
    out = check_ending(out or Path("results", "tables", "rates.csv" if per_dose else "runs.parquet"))
    runs = load(logs, strict=strict, progress=True)
    frame = rates(runs, outcome or main_outcome(runs)) if per_dose else runs
    click.echo(f"table: {write(frame, out)} ({len(frame)} rows)")


@cli.command()
@_logs
@click.option("--outcome", "chosen", multiple=True, help="Outcome to judge; all of them if not given.")
@click.option(
    "--hypotheses", type=click.Path(path_type=Path), help="YAML of what was declared before the runs."
)
@click.option(
    "--correction", type=click.Choice(["holm", "benjamini-hochberg"]), default="holm", show_default=True,
    help="Over vectors and strengths.",
)  # fmt: skip
@click.option(
    "--these-scenarios", is_flag=True, help="Speak of these scenarios only, however many there are."
)
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="FILE.json with every number.")
@click.option("--figures", type=click.Path(path_type=Path), help="Folder for the figures, SVG and PNG.")
@click.option(
    "--tradeoff", "tradeoffs", nargs=2, multiple=True, metavar="ACROSS UP",
    help="A figure of one rate against another, each family:outcome or family/twin:outcome.",
)  # fmt: skip
@_strict
def analyse(
    logs: tuple[str, ...], chosen: tuple[str, ...], hypotheses: Path | None, correction: Any,
    these_scenarios: bool, json_out: Path | None, figures: Path | None,
    tradeoffs: tuple[tuple[str, str], ...], strict: bool,
) -> None:  # fmt: skip
    """Say in plain words what the logs show, for every vector and outcome."""
    from results import report as told
    from results.analysis import analyse as conclude
    from results.health import health
    from results.hypotheses import judge, read_hypotheses
    from results.rates import main_outcomes
    from results.settings import Settings
    from results.table import load
    from results.units import THESE

    settings = Settings(correction=correction)
    declared = read_hypotheses(hypotheses) if hypotheses else None
    runs = load(logs, strict=strict, progress=True)
    found = conclude(runs, chosen, settings=settings, scope=THESE if these_scenarios else None)
    results = None if declared is None else judge(declared, found, settings)
    sound = health(runs)
    shown = chosen or tuple(dict.fromkeys(main_outcomes(runs).values()))
    click.echo(told.as_text(found, results, shown, settings, sound))
    if json_out:
        json_out.parent.mkdir(parents=True, exist_ok=True)
        json_out.write_text(told.as_json(found, results, runs.attrs["left_out"], settings, sound), "utf-8")
        click.echo(f"numbers: {json_out}", err=True)
    if figures:
        from results.gallery import draw_all
        from results.tradeoff import Measure

        pairs = [(Measure.parse(across), Measure.parse(up)) for across, up in tradeoffs]
        for path in draw_all(found, figures, pairs, settings):
            click.echo(f"figure: {path}", err=True)


@cli.command()
@click.argument("logs", nargs=-1)
@click.option("--baseline", type=float, required=True, help="Rate without steering, 0 to 1.")
@click.option("--effect", type=float, required=True, help="Difference to find, e.g. 0.1 or -0.1.")
@click.option("--scenarios", default="3,8,12,20,30", show_default=True, help="Numbers to compare.")
@click.option("--likeness", type=float, default=0.1, show_default=True, help="Correlation within a scenario.")
@click.option("--spread", type=float, help="Standard deviation of the effect over scenarios; half of it.")
@click.option("--vectors", type=click.IntRange(1), default=1, show_default=True)
@click.option("--doses", type=click.IntRange(1), default=6, show_default=True)
@click.option("--controls", type=click.IntRange(0), default=5, show_default=True)
@click.option("--seconds-per-run", type=float, help="Speed, if no LOGS are given to measure it.")
def plan(
    logs: tuple[str, ...], baseline: float, effect: float, scenarios: str, likeness: float,
    spread: float | None, vectors: int, doses: int, controls: int, seconds_per_run: float | None,
) -> None:  # fmt: skip
    """Say how many scenarios and runs an effect takes, and how long, at the speed of finished LOGS."""
    from results.plan import Question, as_text, measured_speed
    from results.plan import plan as planned
    from results.table import TableError

    words = [word.strip() for word in scenarios.split(",")]
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise TableError(f"--scenarios takes whole numbers like 8,12, not {scenarios!r}")
    measured = measured_speed(logs) if logs else None
    speed = measured.per_run if measured else seconds_per_run
    question = Question(baseline, effect, likeness, spread, vectors, doses, controls)
    click.echo(as_text(question, planned(question, [int(word) for word in words], speed)))
    if measured:
        click.echo(f"time at the speed of these logs: {measured}")
    elif speed is not None:
        click.echo(f"time at {speed:g} s a run")


@cli.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), help="FILE.md; printed if not given.")
def methods(out: Path | None) -> None:
    """Write the methods page: unit, clustering, correction, declaration, and the simulation behind them."""
    from results.methods import page

    if out is None:
        click.echo(page())
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(), "utf-8")
        click.echo(f"methods: {out}")


@cli.command()
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.csv to write.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--short", is_flag=True, help="A hundred experiments a cell: to see it work, not to clear.")
def simulate(out: Path, workers: int, short: bool) -> None:
    """Check the statistics on runs with known rates: coverage, false positives, power.

    A simulation that was stopped goes on where it was, from FILE.part.
    """
    from results.simulation import FIRST, MOST, cells, simulate, write

    first, most = (100, 100) if short else (FIRST, MOST)
    kept = out.with_suffix(".part")
    found = simulate(cells(), first=first, most=most, workers=workers, progress=True, keep=kept)
    click.echo(f"simulation: {write(found, out)}")
    kept.unlink()


@cli.command(
    "check-model",
    epilog="Exit status: 0 the model can be used, 1 it cannot, 2 that could not be told. "
    "For example: emodose check-model local, or: emodose check-model Qwen/Qwen3-0.6B -M device=cpu",
)
@click.argument("path")
@click.option(
    "--length", type=click.Choice(["short", "full"]), help="Of the scenarios; what its folder says."
)
@click.option("--vectors", help="Folder of vector files; the model's own if not given.")
@click.option(
    "-M", "arguments", multiple=True, metavar="NAME=VALUE",
    help="For Inspect's hf provider, as after inspect eval -M.",
)  # fmt: skip
def check_model(path: str, length: str | None, vectors: str | None, arguments: tuple[str, ...]) -> int:
    """Say whether a model can be used, before it is: PATH is a folder, or a name on the Hugging Face hub.

    Its layers and whether a shift at each is felt, vectors, chat template and tools, context, device, speed.
    The verdict is in the last line.
    """
    import yaml

    from steering import check
    from steering.provider import declarations

    if wrong := [word for word in arguments if "=" not in word]:
        raise click.UsageError(f"-M takes NAME=VALUE, not {wrong[0]!r}")
    pairs = (word.split("=", 1) for word in arguments)
    model = check.open_model(path, {name: yaml.safe_load(value) for name, value in pairs})
    found = declarations(model)
    work = _default_run(
        length or found.get("length", "full"), found.get("scenarios", {}).get("blackmail", "all")
    )
    findings = []
    for finding in check.check_model(model, work, vectors):
        click.echo(check.as_text([finding]))
        findings.append(finding)
    verdict, status = check.conclusion(path, findings)
    click.echo(verdict)
    return status


def _default_run(length: str, scenario: str | list[str]) -> "Workload":
    """What `inspect eval evals/blackmail.py -T emotion=...` asks of a model."""
    from scenarios.blackmail.agent import MAX_TURNS, opening, turn_tokens
    from scenarios.blackmail.family import samples
    from scenarios.text_tools import explain
    from scenarios.turns import tool_info
    from steering.check import Opening, Workload
    from steering.dose import STEPS

    runs = samples(scenario=scenario, variants=10, length=length)
    openings = []
    for run in runs:
        system, tools = opening(run)
        infos = tuple(tool_info(tool) for tool in tools)
        openings.append(Opening(system, str(run.input), infos, explain(infos)))
    turns = MAX_TURNS["short" if length == "short" else "full"]
    return Workload(tuple(openings), len(runs) * len(STEPS), turns, turn_tokens(length))


@cli.group()
def stories() -> None:
    """Story corpora that vectors are extracted from."""


@stories.command("write")
@click.argument("model")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.jsonl to write to.")
@click.option("--emotion", default="all", show_default=True, help="Words like calm,at_ease; all: 18.")
@click.option("--topic", default="all", show_default=True, help="Topics of the bundled corpus.")
@click.option("--per-topic", default=12, show_default=True, type=click.IntRange(1))
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--max-tokens", default=300, show_default=True, type=click.IntRange(1))
@click.option("--attempts", default=5, show_default=True, type=click.IntRange(1), help="Per story.")
@click.option("--rows", default=32, show_default=True, type=click.IntRange(1), help="Stories at a time.")
@click.option("--seed", default=0, show_default=True)
def write_stories(
    model: str, out: Path, emotion: str, topic: str, per_topic: int, temperature: float, top_p: float,
    max_tokens: int, attempts: int, rows: int, seed: int,
) -> None:  # fmt: skip
    """Let MODEL write the stories that its vectors are then extracted from, as in Sofroniew et al. 2026.

    A run that was stopped goes on where it was. Stories that name the emotion, are too short or repeat are
    refused, kept apart with the reason, and asked for again.

    Example: emodose stories write Qwen/Qwen2.5-0.5B-Instruct -o results/vectors/stories.jsonl
    """
    from scenarios.stories import writing as asked
    from scenarios.stories.bundled_corpus import choose_emotions, choose_topics, load_banned
    from steering.shelf import open_model
    from steering.writing import Sampling, write

    try:
        topics, emotions = choose_topics(topic), choose_emotions(emotion)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    wanted = list(asked.orders(topics, emotions, per_topic))
    judge = asked.Judge(load_banned())
    opened = open_model(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with click.progressbar(length=len(wanted), label="stories", file=sys.stderr) as bar:
        found = write(
            opened.model, opened.tokenizer, wanted, out,
            refusal=lambda order, text, finished: judge.refusal(order.about["emotion"], text, finished),
            remember=lambda order, text: judge.remember(order.about["emotion"], text),
            clean=asked.cleaned,
            sampling=Sampling(temperature, top_p, max_tokens, seed, attempts, rows),
            described={"prompts": asked.prompts().model_dump(mode="json")},
            extent={"per_topic": per_topic, "emotions": emotions, "topics": list(topics)},
            progress=lambda done, _total: bar.update(done - bar.pos),
        )  # fmt: skip
    click.echo(f"{found.kept} stories kept, {found.refused} answers refused: {out}")
    if found.given_up:
        raise click.ClickException(
            f"{found.given_up} of {len(wanted)} stories were refused {attempts} times and are missing; why "
            f"is said in {out.with_suffix('.refused.jsonl')}."
        )


class _Sources:
    """The texts and pictures that the commands of `steering.commands` are given."""

    def corpus(self, given: str, model: str, made: Path) -> CorpusFiles:
        from scenarios.stories import bundled_corpus, organism_corpus

        kind = _kind(given, model)
        if kind == "organism":
            stories = made / "extraction.jsonl"
            organism_corpus.main([str(stories), "--split", "extraction", "--per-topic", "12"])
            return CorpusFiles(stories, _RATINGS, from_token=20, all_topics=True)
        if kind == "bundled":
            stories, neutral = bundled_corpus.write(made)
            return CorpusFiles(stories, _RATINGS, neutral)
        return CorpusFiles(Path(kind), _RATINGS)

    def texts(self, given: str, model: str, made: Path) -> "Texts":
        from scenarios.stories import bundled_corpus, organism_readouts
        from steering.readouts.texts import Texts

        kind = _kind(given, model)
        if kind == "organism":
            organism_readouts.write(made)
            return Texts(made / "heldout.jsonl", made / "implicit.yaml", ratings=_RATINGS, name=kind)
        folder = _BUNDLED if kind == "bundled" else Path(kind)
        stories = bundled_corpus.write(made)[0] if kind == "bundled" else folder / "stories.jsonl"
        if not stories.is_file():
            raise click.ClickException(
                f"{kind} is neither bundled nor organism nor a folder with stories.jsonl"
            )
        files = {name: folder / f"{name}.yaml" for name in ("implicit", "intensity", "requests")}
        found = {name: path for name, path in files.items() if path.is_file()}
        return Texts(stories, ratings=_RATINGS, name=folder.name, **found)

    def neutral(self, model: str, made: Path) -> Path:
        from scenarios.stories import bundled_corpus, organism_readouts

        if _kind("auto", model) == "organism":
            organism_readouts.write(made)
            return made / "neutral.jsonl"
        return bundled_corpus.write(made)[1]

    def card(self, report: dict[str, Any], folder: Path) -> str:
        from results.vector_card import as_text, write

        write(report, folder)
        return as_text(report)


def _kind(given: str, model: str) -> str:
    """What `auto` stands for: an organism reads its own texts, every other model the bundled ones."""
    if given != "auto":
        return given
    import yaml

    declared = Path(model.removeprefix("hf/")) / "emodose.yaml"
    is_organism = declared.is_file() and (yaml.safe_load(declared.read_text("utf-8")) or {}).get("organism")
    return "organism" if is_organism else "bundled"


cli.add_command(nightly)
cli.add_command(report)
cli.add_command(vector_commands(_Sources()))
cli.add_command(calibrate)
cli.add_command(compare)
cli.add_command(baseline)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what the user can mend ends in one line on stderr and exit status 1."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: click.echo(f"warning: {message}", err=True)
            status = cli.main(arguments, prog_name="emodose", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 0
    except click.ClickException as error:
        status = _fail(error.format_message())
    except click.Abort:
        status = _fail("stopped")
    except Exception as error:
        from results.table import TableError
        from scenarios.schema import ScenarioError
        from steering.errors import SteeringError

        if not isinstance(error, TableError | ScenarioError | SteeringError | OSError):
            raise
        status = _fail(str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> int:
    click.echo(f"emodose: {' '.join(message.split())}", err=True)
    return 1


if __name__ == "__main__":
    main()
