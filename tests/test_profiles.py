"""Profiles are data: packaged ones load, own ones extend them, mistakes are named."""

import pytest

from emurl_core.profiles import PACKAGED, Profile, load_profile


@pytest.mark.parametrize("name", sorted(p.stem for p in PACKAGED.glob("*.toml")))
def test_every_packaged_profile_loads(name):
    assert isinstance(load_profile(name), Profile)


@pytest.mark.parametrize("name", sorted(p.stem for p in PACKAGED.glob("*.toml")))
def test_trainings_of_packaged_profiles_are_watched(name):
    assert load_profile(name).policy.watched


def test_the_full_profile_has_the_numbers_of_the_design():
    full = load_profile("full")
    assert (full.tokenizer.codes, full.tokenizer.width) == (512, 192)
    assert full.game.game == "pokemon_red"
    assert full.scrape.source == "local"


def test_an_own_profile_changes_only_what_it_names(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('extends = "demo"\n[scrape]\nmax_videos = 3\n[game]\ngame = "rom"\nrom = "my.gb"\n')
    mine, demo = load_profile(file), load_profile("demo")
    assert mine.scrape.max_videos == 3
    assert mine.game.rom == "my.gb"
    assert mine.scrape.model_copy(update={"max_videos": demo.scrape.max_videos}) == demo.scrape
    assert mine.policy == demo.policy


def test_the_variable_chooses_and_demo_is_the_default(monkeypatch):
    assert load_profile() == load_profile("demo")
    monkeypatch.setenv("EMURL_PROFILE", "full")
    assert load_profile() == load_profile("full")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scrape]\nmax_video = 3\n", r"scrape\.max_video: Extra inputs"),
        ('[scrape]\nmax_videos = "many"\n', r"scrape\.max_videos: .*found 'many'"),
        ('[game]\ngame = "chess"\n', r"game\.game: .*found 'chess'"),
        ("[scrape\n", "no valid TOML"),
        ('extends = "nothing"\n', "no profile 'nothing', expected one of demo, full"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, message):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_profile(file)


def test_profiles_in_a_circle_are_refused(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "{file}"\n')
    with pytest.raises(ValueError, match="circle"):
        load_profile(str(file))
