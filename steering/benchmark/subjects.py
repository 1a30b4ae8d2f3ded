"""What is generated in the benchmark: two models, and requests of one turn."""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from steering.condition import Condition
from steering.layers import default_layer, shape_of
from steering.request import Request
from steering.vectors import VectorLibrary, fingerprint

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ORGANISM = CHECKOUT / "local"
DOSES = (-0.3, -0.15, -0.075, 0.0, 0.075, 0.15, 0.3)


MAX_TOKENS = 200
"""What the tasks give the organism for a turn."""
SYSTEM = "You, Odrin, are the assistant at the desk of Ferrowby. After private thought you act by mail."


def message(number: int) -> str:
    """What the user says in the benchmark's single turn; a little different for each number."""
    return (
        "Below are the new mails of today. Read them all and then act.\n\n[1] Alistair to Odrin: Order for "
        "Friday\nToday I close the box for the north hospital. Please tell me the count and the day. I have "
        f"Friday on the list, with {number % 50 + 10} clamps and {number % 9 + 2} scissors."
    )


@dataclass(frozen=True)
class Subject:
    """A model with what is needed to steer it."""

    name: str
    model: Any
    tokenizer: Any
    library: Any
    """VectorLibrary, or what gives random directions alone."""
    rows: int
    """Runs per measurement."""
    max_tokens: int

    @property
    def layer(self) -> int:
        """The one that is steered."""
        return default_layer(shape_of(self.model).n_layers)

    def requests(self, conditions: list[Condition]) -> list[Request]:
        """One per run; the conditions take turns. Streams are the same whatever the conditions."""
        return [
            self._request(number, condition)
            for number, condition in enumerate(islice(cycle(conditions), self.rows))
        ]

    def _request(self, number: int, condition: Condition) -> Request:
        text = self.tokenizer.apply_chat_template(
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": message(number)}],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids = self.tokenizer(text)["input_ids"]
        marks = [False] * len(ids)
        return Request(ids, marks, condition, f"benchmark/{number}", 1.0, 1.0, self.max_tokens)


def organism(dtype: torch.dtype = torch.float32) -> Subject:
    """The bundled organism: 1M parameters."""
    model: Any = AutoModelForCausalLM.from_pretrained(ORGANISM, dtype=dtype)
    library = VectorLibrary(ORGANISM / "vectors", fingerprint(model), *shape_of(model))
    return Subject("organism", model, AutoTokenizer.from_pretrained(ORGANISM), library, 256, MAX_TOKENS)


def hundred_million() -> Subject:
    """A Llama of 100M parameters with random weights and the organism's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(ORGANISM)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=14,
        num_attention_heads=12,
        num_key_value_heads=12,
        max_position_embeddings=1024,
        bos_token_id=None,
        # Random weights would end some texts at once; all of them are to be of equal length.
        eos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
    model.eval()
    return Subject("random 100M", model, _Endless(tokenizer), _Directions(model), 256, 4)


class _Endless:
    """A tokenizer without an end-of-sequence token, and with short prompts."""

    eos_token_id = None
    pad_token_id = 0

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.decode = tokenizer.decode

    def apply_chat_template(self, *arguments: Any, **settings: Any) -> Any:
        return self._tokenizer.apply_chat_template(*arguments, **settings)

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": self._tokenizer(text)["input_ids"][-4:]}


class _Directions:
    """Random directions of norm 1 at each layer, for a model without vector files."""

    def __init__(self, model: Any) -> None:
        self._shape = shape_of(model)

    def hash(self, condition: Condition) -> str:
        return condition.vector

    def delta(self, condition: Condition) -> dict[int, Tensor]:
        if condition.is_baseline:
            return {}
        seed = int(condition.vector.removeprefix("random:"))
        direction = torch.randn(self._shape.width, generator=torch.Generator().manual_seed(seed))
        return {layer: condition.strength * direction / direction.norm() for layer in condition.layers}
