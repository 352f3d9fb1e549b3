import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import emurl_core.game  # noqa: F401 - registers the environments
from emurl_core.game import GameConfig, GameEnv, VectorGame
from emurl_core.screen import BUTTON_NAMES, Button

IDS = ["EmuRL/Embedded-v0", "EmuRL/Rom-v0"]


def make(name: str, tiny_path, **settings) -> gymnasium.Env:
    if name == "EmuRL/Rom-v0":
        settings["rom"] = str(tiny_path)
    return gymnasium.make(name, **settings)


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_check_env_passes_without_warnings(tiny_path, name, render_mode):
    env = make(name, tiny_path, render_mode=render_mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("name", IDS)
def test_spaces_are_the_shared_vocabulary(tiny_path, name):
    env = make(name, tiny_path)
    assert env.observation_space == gymnasium.spaces.Box(0, 3, (144, 160), np.uint8)
    assert env.action_space == gymnasium.spaces.Discrete(8)
    assert [b.name.lower() for b in Button] == list(BUTTON_NAMES)
    env.close()


def test_all_three_games_are_registered():
    assert {"EmuRL/Embedded-v0", "EmuRL/PokemonRed-v0", "EmuRL/Rom-v0"} <= set(gymnasium.registry)


def test_pokemon_red_asks_for_the_users_own_rom():
    with pytest.raises(ValueError, match="dump of your own cartridge"):
        gymnasium.make("EmuRL/PokemonRed-v0")


def test_a_seed_is_an_episode_and_seeds_differ():
    env = GameEnv()

    def episode(seed: int) -> list[np.ndarray]:
        first, _ = env.reset(seed=seed)
        return [first, *(env.step(a)[0] for a in (6, 4, 4, 4, 1, 4, 4, 4, 4, 4))]

    first, again, other = episode(1), episode(1), episode(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    waits = []
    for _ in range(8):
        env.reset()
        waits.append(env.emulator.frames)
    assert len(set(waits)) > 4
    env.close()


def test_truth_is_told_in_info_and_never_in_reward_or_end():
    env = GameEnv()
    _, info = env.reset(seed=0)
    assert info["milestones"] == ()
    assert info["true_progress"] == 0.0
    assert info["milestone_count"] == 0
    rewards = []
    for action in [None] * 6 + [Button.START, Button.A] * 20:
        frame, reward, terminated, truncated, info = env.step(Button.B if action is None else action)
        assert frame.dtype == np.uint8
        assert not terminated
        assert not truncated
        rewards.append(reward)
    assert info["milestones"][0] == "left_title"
    assert info["milestone_count"] == len(info["milestones"]) >= 1
    assert 1 / 12 <= info["true_progress"] < 1
    assert set(rewards) == {0.0}
    env.close()


def test_a_reward_of_ones_own_sees_the_frame_alone():
    seen = []

    def darkness(frame: np.ndarray) -> float:
        seen.append(frame)
        return float(frame.mean())

    env = GameEnv(reward=darkness)
    env.reset(seed=0)
    frame, reward, *_ = env.step(4)
    assert reward == pytest.approx(frame.mean())
    assert np.array_equal(seen[0], frame)
    env.close()


def test_an_episode_ends_after_the_steps_asked_for_and_not_before():
    env = gymnasium.make("EmuRL/Embedded-v0", max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(4)[2:4] for _ in range(3)] == [(False, False), (False, False), (False, True)]
    env.close()


def test_an_episode_can_end_with_the_game(monkeypatch):
    env = GameEnv(end_at_last_milestone=True)
    env.reset(seed=0)
    assert not env.step(4)[2]
    last = 1 << len(env.game.milestones) - 1
    truth = env._tracker.read(env.emulator.memory)
    monkeypatch.setattr(env._tracker, "read", lambda read: truth._replace(milestones=last, progress=1.0))
    assert env.step(4)[2]
    env.close()


def test_an_episode_can_begin_at_a_save_state():
    env = GameEnv(max_idle_frames=0)
    env.reset(seed=0)
    for action in (6, 4, 6, 4, 4, 4):
        frame, *_ = env.step(action)
    state = env.emulator.save_state()
    after = env.step(4)[0]
    env.reset()
    assert np.array_equal(env.reset(options={"state": state})[0], frame)
    assert np.array_equal(env.step(4)[0], after)
    with pytest.raises(ValueError, match="save state"):
        env.reset(options={"state": b"junk"})
    env.close()


def test_rendering_shows_what_is_observed():
    env = GameEnv(render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(6):
        frame, *_ = env.step(6)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (144, 160, 3)
    assert picture.dtype == np.uint8
    for shade in range(4):
        assert len(np.unique(picture[frame == shade])) <= 1
    env.close()
    with pytest.raises(ValueError, match="rgb_array"):
        GameEnv(render_mode="human")


def test_the_vector_tells_the_same_truth_as_the_environment():
    env = GameEnv()
    env.reset(seed=5)
    with VectorGame(GameConfig(), envs=2, workers=1) as game:
        game.reset(seeds=[5, 6])
        for action in [6, 4] * 15:
            _, _, _, _, info = env.step(action)
            game.step([action] * 2)
            assert game.truth.progress[0] == np.float32(info["true_progress"])
            assert game.truth.milestone_counts[0] == info["milestone_count"]
            assert tuple(game.truth.place[0]) == info["place"]
        assert game.truth.reached(0).tolist() == [True, True]
        assert game.truth.milestone_counts.max() >= 1
    env.close()


def test_stable_baselines_trains_on_it_as_it_stands():
    from stable_baselines3 import PPO

    env = gymnasium.make("EmuRL/Embedded-v0", max_episode_steps=50)
    model = PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=1, device="cpu", seed=0)
    model.learn(128)
    assert model.num_timesteps == 128
    assert int(model.predict(env.reset()[0])[0]) in range(8)
    env.close()


def test_stable_baselines_trains_a_convolutional_policy_on_stacked_frames():
    from stable_baselines3 import PPO

    env = gymnasium.wrappers.FrameStackObservation(
        gymnasium.make("EmuRL/Embedded-v0", max_episode_steps=50), 4
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PPO(
            "CnnPolicy",
            env,
            n_steps=32,
            batch_size=32,
            n_epochs=1,
            device="cpu",
            seed=0,
            policy_kwargs={"normalize_images": False},
        )
        model.learn(64)
    assert model.num_timesteps == 64
    env.close()
