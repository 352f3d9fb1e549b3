"""The checks before a long run: each says OK on a sound machine, and FAIL with a reason when the thing it looks at is broken."""

from collections import namedtuple

import pytest

from emurl_core import validation
from emurl_core.artifacts import ArtifactStore
from emurl_core.game import GameConfig
from emurl_core.runtime import RuntimeConfig
from emurl_core.validation import validate

CHECKS = ("disk", "device", "rom", "picture", "intro", "dataset", "reward gate")
Usage = namedtuple("Usage", "total used free")


def answers(game, store):
    return {f.check: f for f in validate(game, RuntimeConfig(device="cpu"), store)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return answers(GameConfig(game="embedded"), ArtifactStore(tmp_path_factory.mktemp("home")))


def test_the_embedded_game_passes_and_what_is_not_there_yet_is_a_warning(sound):
    assert tuple(sound) == CHECKS
    assert sound["rom"].verdict == sound["picture"].verdict == sound["intro"].verdict == "OK"
    assert sound["dataset"].verdict == sound["reward gate"].verdict == "WARN"
    assert "left the intro in 4 of 4 episodes" in sound["intro"].message
    assert "shades [0, 1, 2, 3]" in sound["picture"].message


def test_a_wrong_rom_fails_every_check_that_needs_one_and_stops_no_other(tmp_path):
    rom = tmp_path / "wrong.gb"
    rom.write_bytes(bytes(32768))
    found = answers(GameConfig(game="pokemon_red", rom=str(rom)), ArtifactStore(tmp_path / "home"))
    assert [found[c].verdict for c in ("rom", "picture", "intro")] == ["FAIL"] * 3
    assert "SHA-1" in found["rom"].message
    assert found["device"].verdict == "OK"


@pytest.mark.parametrize(("free", "verdict"), [(20e9, "OK"), (5e9, "WARN"), (5e8, "FAIL")])
def test_a_disk_that_fills_up_is_told_before(tmp_path, monkeypatch, free, verdict):
    monkeypatch.setattr(validation.shutil, "disk_usage", lambda _: Usage(1e12, 0, free))
    found = validation._disk(ArtifactStore(tmp_path))
    assert found.verdict == verdict
    assert f"{free / 1e9:.1f} GB free" in found.message


def test_an_intro_that_random_play_does_not_leave_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(validation, "INTRO_STEPS", 3)
    found = validation._intro(GameConfig(game="embedded"))
    assert found.verdict == "FAIL"
    assert "0 of 4" in found.message
