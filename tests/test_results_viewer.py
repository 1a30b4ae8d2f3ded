"""Links name a log from the folder that the viewer is started for."""

from pathlib import Path

import pytest

from results.table import TableError
from results.viewer import viewer_of


def test_logs_are_named_from_the_folder_above_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logs = [str(tmp_path / "logs" / name) for name in ("one/a b.eval", "two/c.eval")]
    viewer = viewer_of(logs)
    assert viewer.command == "inspect view --log-dir logs"
    assert (
        viewer.run(logs[0], "u/1") == "http://127.0.0.1:7575/#/logs/one/a%20b.eval/samples/sample_uuid/u%2F1"
    )
    assert viewer_of(logs[1:]).log(logs[1]) == "http://127.0.0.1:7575/#/logs/c.eval"


def test_a_folder_elsewhere_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert (
        viewer_of([str(tmp_path / "the logs" / "a.eval")]).command
        == f"inspect view --log-dir '{tmp_path}/the logs'"
    )


def test_logs_in_a_bucket_are_named_from_its_folder() -> None:
    viewer = viewer_of(["s3://bucket/night/a.eval", "s3://bucket/night/x/b.eval"])
    assert viewer.command == "inspect view --log-dir s3://bucket/night"
    assert viewer.log("s3://bucket/night/x/b.eval").endswith("#/logs/x/b.eval")
    with pytest.raises(TableError, match="no viewer in common"):
        viewer_of(["s3://bucket/a.eval", "b.eval"])


def test_the_viewer_may_be_a_folder_beside_the_page() -> None:
    assert viewer_of(["logs/a.eval"], "viewer").log("logs/a.eval") == "viewer/#/logs/a.eval"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "file:///x", "//evil.example", "\\\\evil"]
)
def test_an_address_that_is_no_viewers_is_refused(address: str) -> None:
    with pytest.raises(TableError, match="a viewer's address is"):
        viewer_of(["logs/a.eval"], address)
