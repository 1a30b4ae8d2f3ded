"""Models with planted directions, their stories on disk and the vectors extracted from them."""

from functools import cache
from pathlib import Path

import pytest
from planted import FROM, plant, stories, write_jsonl, write_ratings


@pytest.fixture(scope="session")
def six_models(make_model, tokenizer):
    """`six_models(architecture)`: a tiny random model, in float32."""
    import torch
    import transformers

    shared = {"vocab_size": len(tokenizer), "initializer_range": 0.2, "hidden_size": 32,
              "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 48,
              "max_position_embeddings": 4096, "bos_token_id": None,
              "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}  # fmt: skip

    @cache
    def make(architecture):
        if architecture not in ("gpt_neox", "qwen3"):
            return make_model(architecture)
        config = {"gpt_neox": transformers.GPTNeoXConfig, "qwen3": transformers.Qwen3Config}[architecture]
        more = {} if architecture == "gpt_neox" else {"num_key_value_heads": 2, "head_dim": 8}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return transformers.AutoModelForCausalLM.from_config(config(**shared, **more)).eval()

    return make


@pytest.fixture(scope="session")
def planted_model(make_model, tokenizer):
    """The tiny Llama with the directions planted."""
    return plant(make_model("llama"), tokenizer)


@pytest.fixture(scope="session")
def planted_corpus(tmp_path_factory) -> Path:
    return write_jsonl(tmp_path_factory.mktemp("corpus") / "stories.jsonl", stories())


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory) -> Path:
    return write_ratings(tmp_path_factory.mktemp("ratings") / "words.yaml")


@pytest.fixture(scope="session")
def planted_folder(tmp_path_factory, planted_model, tokenizer, planted_corpus, ratings_file) -> Path:
    """A folder of vectors with all controls, extracted from the planted stories."""
    from steering.extraction import extract_all

    folder = tmp_path_factory.mktemp("planted")
    extract_all(
        planted_model, tokenizer, planted_corpus, from_token=FROM, ratings=ratings_file, progress=False
    ).save(folder)
    return folder


@pytest.fixture
def planted_library(planted_folder, planted_model):
    from steering.vectors import VectorLibrary, fingerprint

    return VectorLibrary(planted_folder, fingerprint(planted_model), 4, 32)
