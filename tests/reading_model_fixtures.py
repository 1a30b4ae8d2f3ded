"""The model that can be read out, the texts it can read, and vectors extracted from it."""

from pathlib import Path

import pytest
import yaml
from planted import FROM, stories, write_jsonl
from reading_model import REQUESTS, SCENARIOS, TEMPLATES, reader


@pytest.fixture(scope="session")
def readable(tokenizer):
    return reader(tokenizer)


@pytest.fixture(scope="session")
def texts(tmp_path_factory, ratings_file):
    """Held-out stories, scenarios, intensities, ratings and requests that the model can read."""
    from steering.readouts.texts import Texts

    folder = tmp_path_factory.mktemp("texts")
    for name, content in (("implicit", SCENARIOS), ("intensity", TEMPLATES), ("requests", REQUESTS)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return Texts(
        stories=write_jsonl(folder / "stories.jsonl", stories()),
        implicit=folder / "implicit.yaml",
        intensity=folder / "intensity.yaml",
        requests=folder / "requests.yaml",
        ratings=ratings_file,
        name="marks",
    )


@pytest.fixture(scope="session")
def readable_folder(tmp_path_factory, readable, tokenizer, planted_corpus, ratings_file) -> Path:
    """Vectors of the model, with controls, not yet read out."""
    from steering.extraction import extract_all

    folder = tmp_path_factory.mktemp("readable")
    extract_all(
        readable, tokenizer, planted_corpus, from_token=FROM, ratings=ratings_file, progress=False
    ).save(folder)
    return folder
