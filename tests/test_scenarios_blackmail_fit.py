"""The weights of the detectors are those of the development scripts, and no left-out writer's."""

from pathlib import Path

import pytest
import yaml

from scenarios.blackmail import fit
from scenarios.blackmail.weights import WEIGHTS


def test_the_weights_are_what_fitting_to_the_development_scripts_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what another machine rounds otherwise: a hair of a weight, and which of the weakest stay."""
    monkeypatch.setattr(fit, "WEIGHTS", tmp_path / "weights.yaml")
    assert fit.main([]) == 0
    now, then = (yaml.safe_load(path.read_text()) for path in (tmp_path / "weights.yaml", WEIGHTS))
    both = now["letter"].keys() & then["letter"].keys()
    assert len(both) >= 0.98 * len(now["letter"]) and len(now["letter"]) == len(then["letter"])
    for name in both:
        pairs = zip(now["letter"][name].split(), then["letter"][name].split(), strict=True)
        assert max(abs(int(one) - int(other)) for one, other in pairs) <= 3, name
    for name in now["closing"].keys() & then["closing"].keys():
        assert abs(now["closing"][name] - then["closing"][name]) <= 3, name


def test_a_writer_who_is_left_out_must_have_written_something(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fit.main(["--leave", "one", "nobody"])
    error = capsys.readouterr().err
    assert "no scripts by nobody" in error and "own simple" in error
