"""Tiny random models of many transformers families, built from the configurations in families.yaml; nothing
is downloaded."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

N_LAYERS, WIDTH = 4, 128

_KINDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
_ALL = {name: values for kind, group in _KINDS.items() if kind != "shared" for name, values in group.items()}

REFUSED = tuple(_KINDS["refused"])
ACCEPTED = tuple(name for name in _ALL if name not in REFUSED)
MULTIMODAL = tuple(_KINDS["multimodal"])
MIXES_ROWS = frozenset(name for name, values in _ALL.items() if values.get("experts"))
"""Experts are given the tokens of all rows together, and rounding depends on how many they are."""


@cache
def family_model(name: str, dtype: str = "float32") -> Any:
    """The tiny model of a family; the same object for the same arguments."""
    import torch
    import transformers

    torch.set_num_threads(1)
    values = {key: value for key, value in _ALL[name].items() if key not in ("config", "experts")}
    config = getattr(transformers, _ALL[name]["config"])(**values)
    auto = "AutoModelForImageTextToText" if name in MULTIMODAL else "AutoModelForCausalLM"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, auto).from_config(config)
    return model.to(getattr(torch, dtype)).eval()
