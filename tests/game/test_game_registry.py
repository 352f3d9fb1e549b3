import hashlib

import gymnasium
import pytest
from pydantic import ValidationError

from emurl_core.game import GAMES, Emulator, GameConfig, VectorGame, open_game


def test_a_users_rom_is_opened_and_identified_by_its_content(tiny_config, tiny_rom):
    opened = open_game(tiny_config)
    assert opened.rom == tiny_rom
    assert opened.identity == {"game": "rom", "rom_sha1": hashlib.sha1(tiny_rom).hexdigest()}


def test_the_embedded_game_needs_no_file():
    opened = open_game(GameConfig())
    assert opened.game.milestones[-1] == "ending"
    with Emulator(opened.rom) as emulator:
        emulator.tick(60)


def test_a_rom_beside_the_embedded_game_is_a_mistake(tiny_path):
    with pytest.raises(ValueError, match="game='rom'"):
        open_game(GameConfig(game="embedded", rom=str(tiny_path)))


@pytest.mark.parametrize("game", ["pokemon_red", "rom"])
def test_a_game_without_its_rom_says_what_to_do(game):
    with pytest.raises(ValueError, match=r"found no ROM .* expected the path .* set rom"):
        open_game(GameConfig(game=game))


def test_a_rom_that_is_not_there_names_the_path_and_the_wanted_hash(tmp_path):
    missing = tmp_path / "red.gb"
    with pytest.raises(ValueError, match="No such file") as caught:
        open_game(GameConfig(game="pokemon_red", rom=str(missing)))
    assert str(missing) in str(caught.value)
    assert str(GAMES["pokemon_red"].sha1) in str(caught.value)


def test_a_folder_is_no_rom(tmp_path):
    with pytest.raises(ValueError, match="directory"):
        open_game(GameConfig(game="rom", rom=str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "found 0 bytes"),
        (b"PK\x03\x04" * 100, "found 400 bytes"),
        (bytes(0x8001), "found 32,769 bytes"),
        (bytes(0x8000), "header checksum 00, expected e7"),
    ],
)
def test_a_file_that_is_no_rom_is_refused_with_what_was_found(tmp_path, content, reason):
    path = tmp_path / "not.gb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        open_game(GameConfig(game="rom", rom=str(path)))
    assert hashlib.sha1(content).hexdigest() in str(caught.value)


def test_the_wrong_dump_of_pokemon_red_names_both_hashes_and_the_way_out(tiny_path, tiny_rom):
    with pytest.raises(ValueError, match="unpatched dump") as caught:
        open_game(GameConfig(game="pokemon_red", rom=str(tiny_path)))
    message = str(caught.value)
    assert f"found SHA-1 {hashlib.sha1(tiny_rom).hexdigest()}" in message
    assert "expected ea9bcae617fdf159b045185467ae58b2e4a48b9a" in message
    assert "game='rom'" in message


def test_an_unknown_game_is_refused():
    with pytest.raises(ValidationError, match="embedded"):
        GameConfig(game="tetris")  # type: ignore[arg-type]


@pytest.mark.parametrize("game", ["pokemon_red", "rom"])
def test_every_way_to_play_refuses_a_bad_rom_alike(tmp_path, game):
    path = tmp_path / "bad.gb"
    path.write_bytes(bytes(0x8000))
    with pytest.raises(ValueError, match="header checksum"):
        VectorGame(GameConfig(game=game, rom=str(path)), envs=2, workers=2)
    name = {"pokemon_red": "EmuRL/PokemonRed-v0", "rom": "EmuRL/Rom-v0"}[game]
    with pytest.raises(ValueError, match="header checksum"):
        gymnasium.make(name, rom=str(path))


def test_nothing_is_written_beside_the_users_rom(tiny_path, tiny_rom):
    # A cartridge with a battery is what tempts an emulator to write a .ram file.
    rom = bytearray(tiny_rom)
    rom[0x147], rom[0x149] = 0x03, 0x02
    rom[0x14D] = -sum(b + 1 for b in rom[0x134:0x14D]) & 0xFF
    tiny_path.write_bytes(rom)
    before = tiny_path.stat()
    config = GameConfig(game="rom", rom=str(tiny_path))
    with VectorGame(config, envs=2, workers=1) as game:
        game.reset()
        game.step([0, 4])
    with VectorGame(config, envs=1) as game:
        game.reset()
        game.step([0])
    env = gymnasium.make("EmuRL/Rom-v0", rom=str(tiny_path))
    env.reset(seed=0)
    env.step(3)
    env.close()
    assert [p.name for p in tiny_path.parent.iterdir()] == ["tiny.gb"]
    assert tiny_path.read_bytes() == rom
    assert tiny_path.stat().st_mtime_ns == before.st_mtime_ns
