import numpy as np
import pytest

from emurl_core.game import GameConfig
from emurl_core.game.collect import random_frames


def test_random_frames_are_frames_and_repeatable_whoever_plays(tiny_config):
    frames = random_frames(tiny_config, 40, seed=1, envs=4)
    assert frames.shape == (40, 144, 160)
    assert frames.dtype == np.uint8
    assert frames.max() == 3
    assert np.array_equal(frames, random_frames(tiny_config, 40, seed=1, envs=4, workers=1))
    assert not np.array_equal(frames, random_frames(tiny_config, 40, seed=2, envs=4))


def test_random_frames_are_not_the_same_picture_over_and_over(tiny_config):
    frames = random_frames(tiny_config, 60, seed=0, envs=3)
    # The tiny ROM's stripes repeat every 16 pixels of its scroll.
    assert len(np.unique(frames.reshape(60, -1), axis=0)) >= 12


def test_a_game_that_shows_one_picture_forever_is_no_endless_loop(tiny_rom, tmp_path):
    frozen = bytearray(tiny_rom)
    frozen[0x150:0x152] = b"\x18\xfe"  # jr to itself
    path = tmp_path / "frozen.gb"
    path.write_bytes(frozen)
    frames = random_frames(GameConfig(game="rom", rom=str(path)), 10, seed=0, envs=4)
    assert len(frames) == 10


def test_no_frames_and_impossible_numbers(tiny_config):
    assert random_frames(tiny_config, 0, seed=0).shape == (0, 144, 160)
    with pytest.raises(ValueError, match="found count=-1"):
        random_frames(tiny_config, -1, seed=0)
    with pytest.raises(ValueError, match=r"sticky=1\.0"):
        random_frames(tiny_config, 1, seed=0, sticky=1.0)
