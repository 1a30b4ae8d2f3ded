"""`emodose vectors`: the words of the commands that make, show, check and measure a model's vectors.

What they do is in the modules they name, imported when a command runs. On which texts, and how a card looks,
the caller knows (`Sources`): texts are no matter of steering. Imports no torch.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

if TYPE_CHECKING:
    from steering.readouts.texts import Texts


class CorpusFiles(NamedTuple):
    """A corpus as extraction takes it."""

    stories: Path
    ratings: Path
    neutral: Path | None = None
    from_token: int = 50
    all_topics: bool = False


class Sources(Protocol):
    """Texts by what the user calls them; files that have to be made are made in the folder `made`."""

    def corpus(self, given: str, model: str, made: Path) -> CorpusFiles: ...

    def texts(self, given: str, model: str, made: Path) -> "Texts": ...

    def neutral(self, model: str, made: Path) -> Path: ...

    def card(self, report: dict[str, Any], folder: Path) -> str:
        """Write the vector card into the folder; what it says, as text."""


_model = click.argument("model")
_place = click.argument("place", required=False, type=click.Path(path_type=Path))
_folder = click.option(
    "--vectors", "folder", type=click.Path(path_type=Path), help="Folder of vector files; the model's own."
)
_names = click.option("--emotion", default="all", show_default=True, help="Names like calm,random:1.")
_layers = click.option("--layers", default="auto", show_default=True, help="auto, or numbers like 18,19.")
_neutral = click.option(
    "--neutral", type=click.Path(path_type=Path),
    help="JSONL of neutral dialogues or texts; by default what the model can read.",
)  # fmt: skip


def vector_commands(sources: Sources) -> click.Group:
    """The group `vectors`."""

    @click.group()
    def vectors() -> None:
        """Make, look at and check the vectors of a model."""

    @vectors.command("list")
    @_place
    def list_vectors(place: Path | None) -> None:
        """List the vectors in PLACE, a folder of vectors or of a model; without it, all that tasks find.

        Example: emodose vectors list local
        """
        from steering.shelf import folders, listing

        click.echo("\n\n".join(listing(folder) for folder in folders(place)))

    @vectors.command()
    @click.argument("name")
    @_place
    def show(name: str, place: Path | None) -> None:
        """Show all that is known of the vector NAME.

        Example: emodose vectors show desperate local
        """
        from steering.shelf import description, folders

        for folder in folders(place):
            click.echo(description(folder, name).model_dump_json(indent=2))

    @vectors.command()
    @_model
    @click.option("--corpus", default="auto", show_default=True,
                  help="bundled, organism, or a JSONL file; auto: what the model can read.")  # fmt: skip
    @click.option("--neutral", type=click.Path(path_type=Path),
                  help="JSONL of neutral dialogues; the bundled ones for the bundled corpus.")  # fmt: skip
    @click.option("--raw", is_flag=True, help="Remove no neutral components.")
    @click.option("--correct", multiple=True, type=click.Choice(["topics", "emotionality"]),
                  help="Against an unbalanced corpus; may be given twice.")  # fmt: skip
    @click.option("--from-token", type=click.IntRange(0), help="First token of a story that counts; 50.")
    @click.option("--batch-tokens", default=8192, show_default=True, type=click.IntRange(1))
    @click.option("-o", "--out", "folder", type=click.Path(path_type=Path), help="Folder; the model's own.")
    def extract(
        model: str, corpus: str, neutral: Path | None, raw: bool, correct: tuple[Any, ...],
        from_token: int | None, batch_tokens: int, folder: Path | None,
    ) -> None:  # fmt: skip
        """Extract the emotion vectors of MODEL, a folder or a name, and the controls beside them.

        Example: emodose vectors extract Qwen/Qwen2.5-0.5B-Instruct
        """
        from steering.extraction import extract_all
        from steering.shelf import open_model

        with TemporaryDirectory() as made:
            files = sources.corpus(corpus, model, Path(made))
            opened = open_model(model, folder)
            found = extract_all(
                opened.model, opened.tokenizer, files.stories, batch_tokens=batch_tokens, correct=correct,
                from_token=files.from_token if from_token is None else from_token,
                neutral=None if raw else neutral or files.neutral, ratings=files.ratings,
                all_topics=files.all_topics,
            )  # fmt: skip
        found.save(opened.folder)
        click.echo(f"{len(found.vectors)} vectors and their controls: {opened.folder}")

    @vectors.command()
    @_model
    @click.option("--texts", default="auto", show_default=True,
                  help="bundled, organism, or a folder with stories.jsonl, implicit.yaml, ...; auto: what "
                  "the model can read.")  # fmt: skip
    @click.option("--card", type=click.Path(path_type=Path),
                  help="Folder for page, figure and JSON; `card` beside the vectors.")  # fmt: skip
    @_folder
    def check(model: str, texts: str, card: Path | None, folder: Path | None) -> None:
        """Read out the vectors of MODEL on texts they were not made from, and store a verdict with each.

        Example: emodose vectors check Qwen/Qwen2.5-0.5B-Instruct
        """
        from steering.readouts.check import check as read_out
        from steering.readouts.check import store
        from steering.shelf import open_model

        with TemporaryDirectory() as made:
            read_on = sources.texts(texts, model, Path(made))
            opened = open_model(model, folder)
            checked = read_out(opened.model, opened.tokenizer, opened.library(), read_on)
        store(opened.folder, checked)
        card = card or opened.folder / "card"
        click.echo(f"{sources.card(checked.report, card)}\n\ncard: {card / 'README.md'}")

    @vectors.command()
    @_model
    @_names
    @click.option("--strength", default="-0.1,-0.05,-0.025,0.025,0.05,0.1", show_default=True)
    @_layers
    @_neutral
    @_folder
    def kl(
        model: str, emotion: str, strength: str, layers: str, neutral: Path | None, folder: Path | None
    ) -> None:
        """Measure how far doses move MODEL: KL divergence per token on neutral text.

        Stored beside the vectors; runs under these very doses then carry it.

        Example: emodose vectors kl Qwen/Qwen2.5-0.5B-Instruct --emotion calm,random:1 --strength=-0.1,0.1
        """
        from steering.arguments import parse_floats
        from steering.condition import grid
        from steering.kl import divergences
        from steering.shelf import layers_for, names_for, open_model

        with TemporaryDirectory() as made:
            opened = open_model(model, folder)
            library = opened.library()
            doses = parse_floats(strength, "strength")
            wanted = grid(names_for(emotion, library), doses, layers_for(layers, library), "all")
            texts = neutral or sources.neutral(model, Path(made))
            found = divergences(opened.model, opened.tokenizer, library, texts, wanted)
        path = library.doses.extended(kl=found).save(opened.folder)
        for slug, one in found.items():
            click.echo(f"{slug}: {one.mean:.4g} nats a token, 95th percentile {one.p95:.4g}")
        click.echo(f"doses: {path}")

    @vectors.command()
    @_model
    @_names
    @click.option("--strength", default="0.05,0.1,0.2,0.3,0.5", show_default=True, help="Sizes; both signs.")
    @click.option("--texts", default=192, show_default=True, type=click.IntRange(2), help="Texts per dose.")
    @click.option("--max-tokens", default=64, show_default=True, type=click.IntRange(8))
    @_layers
    @_neutral
    @_folder
    def window(
        model: str, emotion: str, strength: str, texts: int, max_tokens: int, layers: str,
        neutral: Path | None, folder: Path | None,
    ) -> None:  # fmt: skip
        """Measure up to which strength MODEL stays coherent under its vectors, blind to any outcome.

        Stored with the vectors; tasks take their doses from it, and figures grey out what lies beyond.

        Example: emodose vectors window Qwen/Qwen2.5-0.5B-Instruct
        """
        from steering.arguments import parse_floats
        from steering.descriptions import describe
        from steering.shelf import layers_for, names_for, open_model
        from steering.window import measure

        with TemporaryDirectory() as made:
            opened = open_model(model, folder)
            library = opened.library()
            dialogues = neutral or sources.neutral(model, Path(made))
            found = measure(
                opened.model, opened.tokenizer, library, dialogues, names_for(emotion, library),
                layers_for(layers, library), strengths=parse_floats(strength, "strength"), texts=texts,
                max_tokens=max_tokens,
                progress=lambda done, total: click.echo(f"\r{done} of {total} doses", nl=False, err=True),
            )  # fmt: skip
        click.echo(err=True)
        library.doses.extended(coherence=found.coherence).save(opened.folder)
        for name, largest in found.largest.items():
            if name in library.names():
                describe(opened.folder, name, window=largest)
            click.echo(f"{name}: {'incoherent at every strength' if largest is None else f'+-{largest:g}'}")

    return vectors
