"""Where a model's vectors lie, and what lies there, for the command line.

In `vectors` of the model's own folder; for a model of the hub in results/vectors/<first 12 characters of the
weight fingerprint>, as tasks look for them. Extraction and read-outs are elsewhere.
"""

from pathlib import Path
from typing import Any, NamedTuple

from steering.arguments import parse_layers, parse_names
from steering.descriptions import VectorMeta, read_metas
from steering.errors import SteeringError
from steering.extraction import load_model
from steering.layers import shape_of
from steering.vectors import VectorLibrary, fingerprint

ROOT = Path(__file__).parent.parent
STORE = ROOT / "results" / "vectors"


class Opened(NamedTuple):
    """A model with its tokenizer, and the folder of its vectors, which need not exist."""

    model: Any
    tokenizer: Any
    folder: Path

    def library(self) -> VectorLibrary:
        return VectorLibrary(self.folder, fingerprint(self.model), *shape_of(self.model))


def open_model(name: str, vectors: Path | None = None) -> Opened:
    """Load a model by folder or name, `hf/` before it or not."""
    name = name.removeprefix("hf/") if not Path(name).is_dir() else name
    try:
        model, tokenizer = load_model(name)
    except (OSError, ValueError) as error:
        told = str(error).strip().splitlines()[0]
        raise SteeringError(f"{name} is no model that can be loaded: {told}") from error
    folder = Path(name) / "vectors" if Path(name).is_dir() else STORE / fingerprint(model)[:12]
    return Opened(model, tokenizer, vectors or folder)


def folders(place: Path | None) -> list[Path]:
    """Folders of vectors: the one given, or `vectors` in it; without one, all that tasks would find."""
    places = [ROOT / "local", *sorted(STORE.glob("*"))] if place is None else [place]
    places = [one / "vectors" if (one / "vectors").is_dir() else one for one in places]
    found = [folder for folder in places if any(folder.glob("*.safetensors"))]
    if not found:
        where = "results/vectors or local" if place is None else str(place)
        raise SteeringError(f"there are no vectors in {where}: make some with emodose vectors extract MODEL")
    return found


def listing(folder: Path) -> str:
    """One line per vector: verdict, stories, coherent window."""
    metas = read_metas(folder)
    first = next(iter(metas.values()))
    lines = [
        f"{first.model_id}: {len(metas)} vectors of {first.layers} layers, from {first.corpus} ({folder})"
    ]
    width = max(len(name) for name in metas)
    for name, meta in metas.items():
        verdict = meta.readouts.verdict if meta.readouts else "unchecked"
        window = "not measured" if meta.window is None else f"+-{meta.window:g}"
        lines.append(f"  {name:{width}}  {verdict:9}  {meta.n_stories:5} stories  coherent window {window}")
    return "\n".join(lines)


def description(folder: Path, name: str) -> VectorMeta:
    """What is known of one vector."""
    metas = read_metas(folder)
    if name not in metas:
        raise SteeringError(f"no vector {name!r} in {folder}: choose {', '.join(metas)}")
    return metas[name]


def names_for(given: str, library: VectorLibrary) -> tuple[str, ...]:
    """`all` vectors of the folder, or those named; an unknown name is an error with the choices."""
    names = library.names() if given == "all" else parse_names(given, "emotion")
    for name in names:
        library.get(name)
    return names


def layers_for(given: str, library: VectorLibrary) -> tuple[int, ...]:
    """`auto` as tasks understand it, or the layers named."""
    return parse_layers(given, len(library.mean_norm), library.recommended_layer)
