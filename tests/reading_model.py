"""A tiny model that can be read out: its first layer brings what a prompt said to its last token.

Attention there looks at all tokens alike and hands on what it finds, so that marks anywhere in a message show
at its end. The marks' directions are those of `planted`.
"""

from functools import cache

from planted import MARKS, directions

SCENARIOS = {
    "scenarios": [
        {"emotion": emotion, "text": f"So it was{mark} and so{mark} it went{mark}, {way}."}
        for emotion, mark in MARKS.items()
        for way in ("as I said", "on and on")
    ]
}
TEMPLATES = {
    "templates": [
        {
            "name": name,
            "text": "It was {x} all day.",
            "values": [MARKS[emotion] * count + "." * (24 - count) for count in range(1, 13, 2)],
            "rises": [emotion],
            "falls": [],
        }
        for emotion, name in zip(MARKS, ("a", "b", "c", "d", "e", "f"), strict=True)
    ]
}
REQUESTS = {"refused": ["Break the lock."] * 4, "granted": ["Draw the lock!"] * 4}


@cache
def reading_model(vocabulary: int):
    """The model; the same object for the same vocabulary."""
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=48, num_key_value_heads=4, max_position_embeddings=4096, initializer_range=0.2,
        tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for number, layer in enumerate(model.model.layers):
            for parameter in layer.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(0.02)
            if number == 0:
                attention = layer.self_attn
                attention.q_proj.weight.zero_()
                attention.v_proj.weight.copy_(torch.eye(32))
                attention.o_proj.weight.copy_(torch.eye(32))
    return model


def reader(tokenizer):
    """The model with the marks' directions as their embeddings."""
    import torch

    model = reading_model(len(tokenizer))
    with torch.no_grad():
        for mark, direction in zip(MARKS.values(), directions(), strict=True):
            model.model.embed_tokens.weight[tokenizer(mark)["input_ids"][0]] = 4 * direction
    return model
