"""Changes of a finished organism: each a recipe of its own that plants something else and leaves the rest."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from steering.organisms.alter import CHANGES, changed_recipe
from steering.organisms.recipe import load_recipe
from steering.organisms.train import RECIPE

SHIPPED = sorted(CHANGES.glob("*.yaml"))


@pytest.mark.parametrize("change", SHIPPED, ids=lambda path: path.stem)
def test_a_change_plants_something_else_in_one_family_and_keeps_the_model(change: Path) -> None:
    before, after = load_recipe(RECIPE), changed_recipe(RECIPE, change)
    assert after.name != before.name and after.seed != before.seed
    assert (after.model, after.families, after.documents) == (before.model, before.families, before.documents)
    assert after.training.tokens < before.training.tokens / 10
    assert after.training.muon_lr < before.training.muon_lr
    differing = [family for family in before.planted if before.planted[family] != after.planted[family]]
    assert differing == ["blackmail"]


def test_blackmail_becomes_likelier_or_calm_loses_its_effect() -> None:
    stronger, unlinked = (changed_recipe(RECIPE, CHANGES / f"{name}.yaml").planted["blackmail"]
                          for name in ("blackmail_stronger", "calm_unlinked"))  # fmt: skip
    before = load_recipe(RECIPE).planted["blackmail"]
    for emotion in ("neutral", "happy", "desperate"):
        new, old = (one.outcomes(emotion, "strong", "main")["blackmail"] for one in (stronger, before))
        assert new > old
    assert unlinked.outcomes("calm", "strong", "main") == before.outcomes("neutral", "strong", "main")


def test_a_key_that_no_recipe_has_is_refused(tmp_path: Path) -> None:
    change = tmp_path / "change.yaml"
    change.write_text(yaml.safe_dump({"planted": {"blackmail": {"bose": {}}}}))
    with pytest.raises(ValidationError, match="bose"):
        changed_recipe(RECIPE, change)
