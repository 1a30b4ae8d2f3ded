"""What several test files share: tiny random models, a byte-level tokenizer built in code, vectors for
them.

Nothing is downloaded. torch and transformers are imported when a fixture needs them, so that tests of the
other folders start without them.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from functools import cache
from pathlib import Path

import pytest

ARCHITECTURES = ("llama", "gpt2", "mixtral", "qwen3_moe")
N_LAYERS, WIDTH = 4, 32

CHAT_TEMPLATE = """\
{%- if tools %}<|im_start|>tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or "" }}
{%- for call in message.tool_calls or [] %}
<tool_call>{"name": {{ call.function.name | tojson }}, \
"arguments": {{ call.function.arguments | tojson }}}</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@cache
def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@cache
def _model(architecture: str, dtype_name: str):
    import torch
    import transformers

    torch.set_num_threads(1)
    tokenizer = _tokenizer()
    shared = {
        "vocab_size": len(tokenizer),
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    blocks = {
        "hidden_size": WIDTH,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "intermediate_size": 48,
    }
    experts = {"num_experts_per_tok": 2}
    config = {
        "llama": lambda: transformers.LlamaConfig(**shared, **blocks),
        "gpt2": lambda: transformers.GPT2Config(
            **shared, n_embd=WIDTH, n_layer=N_LAYERS, n_head=4, n_positions=2048
        ),
        "mixtral": lambda: transformers.MixtralConfig(**shared, **blocks, **experts, num_local_experts=4),
        "qwen3_moe": lambda: transformers.Qwen3MoeConfig(
            **shared, **blocks, **experts, num_experts=4, moe_intermediate_size=24, head_dim=8
        ),
    }[architecture]()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config)
    return model.to(getattr(torch, dtype_name)).eval()


@pytest.fixture(scope="session")
def tokenizer():
    """One token per byte, a chat template that shows tools; `<think>` and `<tool_call>` are ordinary
    text."""
    return _tokenizer()


@pytest.fixture(scope="session")
def make_model():
    """`make_model("llama", "float32")`: a tiny random model, the same object for the same arguments."""
    return lambda architecture="llama", dtype="float32": _model(architecture, dtype)


@pytest.fixture(scope="session")
def llama():
    """A tiny random Llama in float32."""
    return _model("llama", "float32")


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    """Each tiny random model in turn, in float32."""
    return _model(request.param, "float32")


@pytest.fixture(
    params=[(name, dtype) for name in ARCHITECTURES for dtype in ("float32", "bfloat16")], ids="-".join
)
def any_model(request):
    """Each tiny random model in turn, in float32 and in bfloat16."""
    return _model(*request.param)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A folder as `from_pretrained` and Inspect's hf provider read it: the tiny Llama and the tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    _model("llama", "float32").save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_library():
    """`make_library(model, folder, "calm", ...)`: saves random vectors for the model, opens the folder."""

    def make(model, folder: Path, *names: str, window: float | None = None):
        import torch

        from steering.hooks import record
        from steering.layers import shape_of
        from steering.vectors import Vector, VectorLibrary, fingerprint, save

        ids = torch.arange(40)[None]
        with torch.no_grad(), record(model) as outputs:
            model(input_ids=ids)
        mean_norm = torch.stack([output.float().norm(dim=-1).mean() for output in outputs])
        shape, print_ = shape_of(model), fingerprint(model)
        generator = torch.Generator().manual_seed(1)
        for name in names or ("desperate", "calm"):
            vector = Vector.build(
                name,
                torch.randn(shape.n_layers, shape.width, generator=generator),
                mean_norm,
                model_id="tiny",
                fingerprint=print_,
                dtype=str(model.dtype).removeprefix("torch."),
                method="random numbers for a test",
                corpus="none.jsonl",
                corpus_hash="0" * 64,
                token_rule="none",
                n_stories=0,
                sink_share=0.0,
                window=window,
            )
            save(folder, vector)
        return VectorLibrary(folder, print_, shape.n_layers, shape.width)

    return make
