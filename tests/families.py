"""Tiny random models of many transformers families, built from configurations; nothing is downloaded.

Four layers, width 128, the byte-level tokenizer's vocabulary. Sliding windows are shorter than the prompts of
the tests, so that they matter. The multimodal ones have a vision tower of as many layers as the decoder.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

N_LAYERS, WIDTH = 4, 128

_ENDS = {"bos_token_id": None, "eos_token_id": 257, "pad_token_id": 256}
_BASE = {"vocab_size": 259, "initializer_range": 0.2, **_ENDS}
_BLOCKS = {
    "hidden_size": WIDTH,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "intermediate_size": 96,
}
_HEAD = {"head_dim": 16}
_WINDOW = {"sliding_window": 4}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 48}
_LOCAL_EXPERTS = {"num_experts_per_tok": 2, "num_local_experts": 4}
_ROUTED = {"num_experts_per_tok": 2, "n_routed_experts": 4, "n_group": 1, "topk_group": 1}
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16}
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 32, "mamba_d_state": 16, "mamba_n_groups": 1}
_DELTA_NET = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_GPT = {"n_embd": WIDTH, "n_layer": N_LAYERS, "n_head": 4, "n_positions": 512}


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


DENSE: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _BLOCKS),
    "qwen2": ("Qwen2Config", _BLOCKS),
    "qwen3": ("Qwen3Config", _BLOCKS | _HEAD),
    "phi3": ("Phi3Config", _BLOCKS),
    "phi": ("PhiConfig", _BLOCKS),
    "olmo2": ("Olmo2Config", _BLOCKS),
    "gpt2": ("GPT2Config", _GPT),
    "gptj": ("GPTJConfig", _GPT | {"rotary_dim": 8}),
    "gpt_neox": ("GPTNeoXConfig", _without(_BLOCKS, "num_key_value_heads")),
    "granite": ("GraniteConfig", _BLOCKS),
    "smollm3": ("SmolLM3Config", _BLOCKS),
    "apertus": ("ApertusConfig", _BLOCKS),
    "glm4": ("Glm4Config", _BLOCKS | _HEAD),
    "falcon": ("FalconConfig", _without(_BLOCKS, "num_key_value_heads", "intermediate_size")),
    "stablelm": ("StableLmConfig", _BLOCKS),
    "bloom": ("BloomConfig", {"hidden_size": WIDTH, "n_layer": N_LAYERS, "n_head": 4}),
    "mpt": ("MptConfig", {"d_model": WIDTH, "n_layers": N_LAYERS, "n_heads": 4, "max_seq_len": 512}),
    "opt": (
        "OPTConfig",
        _without(_BLOCKS, "num_key_value_heads", "intermediate_size") | {"ffn_dim": 96, "word_embed_proj_dim": WIDTH},
    ),
    "starcoder2": ("Starcoder2Config", _BLOCKS),
    "nemotron": ("NemotronConfig", _BLOCKS),
    "seed_oss": ("SeedOssConfig", _BLOCKS | _HEAD),
}  # fmt: skip
SLIDING = {
    "mistral": ("MistralConfig", _BLOCKS | _WINDOW),
    "gemma2": ("Gemma2Config", _BLOCKS | _HEAD | _WINDOW),
    "gemma3": ("Gemma3TextConfig", _BLOCKS | _HEAD | _WINDOW | {"sliding_window_pattern": 2}),
    "cohere2": ("Cohere2Config", _BLOCKS | _WINDOW),
    "olmo3": ("Olmo3Config", _BLOCKS | _WINDOW),
    "exaone4": ("Exaone4Config", _BLOCKS | _WINDOW | {"sliding_window_pattern": 2}),
}
EXPERTS = {
    "mixtral": ("MixtralConfig", _BLOCKS | _LOCAL_EXPERTS),
    "qwen3_moe": ("Qwen3MoeConfig", _BLOCKS | _HEAD | _EXPERTS | {"num_experts": 4}),
    "gpt_oss": ("GptOssConfig", _BLOCKS | _HEAD | _LOCAL_EXPERTS | _WINDOW),
    "deepseek_v3": (
        "DeepseekV3Config",
        _BLOCKS | _ROUTED | _EXPERTS | _LATENT | {"num_key_value_heads": 4, "first_k_dense_replace": 1},
    ),
    "phimoe": ("PhimoeConfig", _BLOCKS | _LOCAL_EXPERTS),
    "glm4_moe": ("Glm4MoeConfig", _BLOCKS | _HEAD | _ROUTED | _EXPERTS | {"first_k_dense_replace": 1}),
    "llama4": (
        "Llama4TextConfig",
        _BLOCKS
        | _HEAD
        | {"num_local_experts": 4, "num_experts_per_tok": 1, "intermediate_size_mlp": 96}
        | {"interleave_moe_layer_step": 2, "attention_chunk_size": 16},
    ),
}
HYBRID = {
    "qwen3_next": (
        "Qwen3NextConfig",
        _BLOCKS | _HEAD | _EXPERTS | _DELTA_NET | {"num_experts": 4, "shared_expert_intermediate_size": 48},
    ),
    "qwen3_5": ("Qwen3_5TextConfig", _BLOCKS | _HEAD | _DELTA_NET),
    "bamba": ("BambaConfig", _BLOCKS | _MAMBA | {"attn_layer_indices": [1, 3]}),
    "falcon_h1": ("FalconH1Config", _BLOCKS | _HEAD | _MAMBA | {"mamba_d_ssm": 256}),
    "lfm2": ("Lfm2Config", _BLOCKS | {"layer_types": ["conv", "full_attention"] * 2}),
    "jamba": (
        "JambaConfig",
        _without(_BLOCKS, "max_position_embeddings")
        | {"num_experts_per_tok": 2, "num_experts": 4, "attn_layer_period": 2, "attn_layer_offset": 1}
        | {"mamba_d_state": 8, "use_mamba_kernels": False},
    ),
    "granite_hybrid": (
        "GraniteMoeHybridConfig",
        _BLOCKS | _LOCAL_EXPERTS | _MAMBA | {"shared_intermediate_size": 48, "layer_types": ["mamba", "attention"] * 2},
    ),
    "nemotron_h": (
        "NemotronHConfig",
        _without(_BLOCKS, "num_hidden_layers")
        | {"layers_block_type": ["mamba", "mlp", "attention", "mlp"], "mamba_num_heads": 8, "mamba_head_dim": 32}
        | {"ssm_state_size": 16, "n_groups": 1},
    ),
    "minimax": (
        "MiniMaxConfig",
        _BLOCKS | _HEAD | _LOCAL_EXPERTS | {"layer_types": ["linear_attention", "full_attention"] * 2},
    ),
    "zamba2": (
        "Zamba2Config",
        _BLOCKS
        | {"layers_block_type": ["mamba", "hybrid"] * 2, "mamba_d_state": 16, "n_mamba_heads": 8, "mamba_headdim": 32},
    ),
    "recurrent_gemma": (
        "RecurrentGemmaConfig",
        _without(_BLOCKS, "max_position_embeddings") | {"lru_width": WIDTH, "attention_window_size": 16},
    ),
    "gemma3n": (
        "Gemma3nTextConfig",
        _BLOCKS
        | _HEAD
        | _WINDOW
        | {"vocab_size_per_layer_input": 259, "hidden_size_per_layer_input": 16, "laurel_rank": 8}
        | {"num_kv_shared_layers": 0, "layer_types": ["sliding_attention", "full_attention"] * 2}
        | {"activation_sparsity_pattern": [0.0] * N_LAYERS},
    ),
    "mamba2": (
        "Mamba2Config",
        {"hidden_size": WIDTH, "num_hidden_layers": N_LAYERS, "num_heads": 8, "head_dim": 32, "state_size": 16}
        | {"n_groups": 1},
    ),
}  # fmt: skip
MULTIMODAL = {
    "gemma3_vision": (
        "Gemma3Config",
        {"text_config": _BASE | _BLOCKS | _HEAD | _WINDOW, "vision_config": _VISION, "mm_tokens_per_image": 4},
    ),
    "mistral3": (
        "Mistral3Config",
        {
            "text_config": {"model_type": "mistral", "sliding_window": None} | _BASE | _BLOCKS,
            "vision_config": {"model_type": "pixtral", "head_dim": 16} | _VISION,
        },
    ),
    "qwen2_5_vl": (
        "Qwen2_5_VLConfig",
        {
            "text_config": {"rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e4}}
            | _BASE
            | _BLOCKS,
            "vision_config": {"depth": N_LAYERS, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2}
            | {"out_hidden_size": WIDTH},
        },
    ),
}  # fmt: skip
FAMILIES = DENSE | SLIDING | EXPERTS | HYBRID | MULTIMODAL


@cache
def family_model(name: str, dtype: str = "float32") -> Any:
    """The tiny model of a family; the same object for the same arguments."""
    import torch
    import transformers

    torch.set_num_threads(1)
    kind, values = FAMILIES[name]
    config: Callable[..., Any] = getattr(transformers, kind)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name in MULTIMODAL:
            model = transformers.AutoModelForImageTextToText.from_config(config(**values))
        else:
            model = transformers.AutoModelForCausalLM.from_config(config(**_BASE, **values))
    return model.to(getattr(torch, dtype)).eval()
