"""Stable-Baselines3's PPO with its CnnPolicy on the same emulators, learned reward and number of steps. Used by `policy`."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from emurl_core.artifacts import Artifact, ArtifactStore
from emurl_core.evaluation.episodes import Episode, play
from emurl_core.game import GameConfig, VectorGame
from emurl_core.ood import load_ood_detector
from emurl_core.policy import PolicyConfig, Sight, load_policy
from emurl_core.policy.reward import ProgressReward, RewardNormaliser
from emurl_core.policy.sight import look_with, trust_with
from emurl_core.reward import load_reward
from emurl_core.screen import FRAME_SHAPE, Button
from emurl_core.tokenizer import load_tokenizer

_SHADE_STEP = 85
"""CnnPolicy wants bytes over their whole range: four shades are 0, 85, 170 and 255."""


class LearnedRewardEnv(VecEnv):
    """Emulators that pay learned progress, as the policy stage pays it: same interval, smoothing, damping and scale.

    Observations are the newest `frame_stack` frames, `(frames, 144, 160) uint8`.
    """

    def __init__(
        self, game: VectorGame, sight: Sight, config: PolicyConfig, allowed: Sequence[Button]
    ) -> None:
        self._game, self._sight, self._config = game, sight, config
        self._buttons = np.array([int(b) for b in allowed])
        shape = (config.frame_stack, *FRAME_SHAPE)
        super().__init__(game.envs, spaces.Box(0, 255, shape, np.uint8), spaces.Discrete(len(self._buttons)))
        self._watch = sight.watch(game.envs)
        self._reward = ProgressReward(
            game.envs, config.reward_interval, config.progress_window, config.time_penalty, config.records
        )
        self._normaliser = RewardNormaliser(
            game.envs, config.gamma, config.reward_clip, config.normalise_rewards
        )
        self._stack = np.zeros((game.envs, *shape), np.uint8)
        self._stream = np.random.default_rng(config.seed)
        self._length = np.zeros(game.envs, np.int64)

    def reset(self) -> np.ndarray:
        self._begin(np.ones(self.num_envs, bool))
        # As the policy stage does: else all emulators would stay in the same scenes.
        self._length = self._stream.integers(self._config.episode_steps, size=self.num_envs)
        return self._stack.copy()

    def step_async(self, actions: np.ndarray) -> None:
        self._game.send(self._buttons[actions])

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        frames = self._game.receive()
        seen = self._sight.see(frames)
        self._length += 1
        ended = (self._length >= self._config.episode_steps) | self._game.restarted
        paid = self._reward.step(self._watch.step(seen.progress), ended, seen.worth)[0]
        rewards = self._normaliser(paid, ended)
        self._stack = np.concatenate([self._stack[:, 1:], (frames * _SHADE_STEP)[:, None]], axis=1)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(ended):
            infos[row] = {"TimeLimit.truncated": True, "terminal_observation": self._stack[row].copy()}
        if ended.any():
            self._begin(ended)
        return self._stack.copy(), rewards, ended, infos

    def _begin(self, rows: np.ndarray) -> None:
        indices = np.flatnonzero(rows)
        self._game.reset(indices, seeds=self._stream.integers(2**32, size=len(indices)).tolist())
        frames = self._game.frames[rows]
        seen = self._sight.see(frames)
        self._reward.start(self._watch.start(seen.progress, rows), rows, seen.worth)
        self._stack[rows] = (frames * _SHADE_STEP)[:, None]
        self._length[rows] = 0

    def close(self) -> None:
        self._game.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


class Sb3Player:
    """A trained model as a player of `emurl_core.evaluation`, drawing its buttons."""

    def __init__(self, model: PPO, frames: int, allowed: Sequence[Button]) -> None:
        self._model, self._frames = model, frames
        self._buttons = np.array([int(b) for b in allowed])
        self._stack: np.ndarray | None = None

    def act(self, frames: np.ndarray) -> np.ndarray:
        newest = (frames * _SHADE_STEP)[:, None]
        if self._stack is None:
            self._stack = np.repeat(newest, self._frames, axis=1)
        else:
            self._stack = np.concatenate([self._stack[:, 1:], newest], axis=1)
        return self._buttons[self._model.predict(self._stack, deterministic=False)[0]]


def play_sb3(
    policy: Artifact,
    store: ArtifactStore,
    game_config: GameConfig,
    seed: int,
    episode_seeds: Sequence[int],
    episode_steps: int,
) -> tuple[list[Episode], float]:
    """Train the peer with the numbers and inputs of `policy`, then play. Returns the episodes and the seconds of training."""
    config = PolicyConfig.model_validate(policy.config).model_copy(update={"seed": seed})
    inputs, allowed = store.inputs_of(policy), load_policy(policy, store).allowed
    tokenizer = load_tokenizer(inputs["tokenizer"])
    judge = load_reward(inputs["reward_model"], tokenizer=inputs["tokenizer"])
    detector = inputs.get("ood_detector")
    trust = (
        trust_with(load_ood_detector(detector, inputs["tokenizer"], inputs["dynamics"])) if detector else None
    )
    sight = Sight(look_with(tokenizer, judge, "cpu"), config.cached_frames, judge, trust)
    began = time.monotonic()
    with VectorGame(game_config, config.envs, config.workers, seed) as game:
        model = train_sb3(LearnedRewardEnv(game, sight, config, allowed), config, config.environment_steps)
    trained_s = time.monotonic() - began
    with VectorGame(game_config, len(episode_seeds), config.workers) as game:
        player = Sb3Player(model, config.frame_stack, allowed)
        return play(game, player, "sb3", episode_seeds, episode_steps, sight, 8), trained_s


def train_sb3(env: LearnedRewardEnv, config: PolicyConfig, steps: int) -> PPO:
    """PPO with the same numbers as the policy stage, for so many steps of all emulators together."""
    model = PPO(
        "CnnPolicy",
        env,
        learning_rate=lambda left: config.learning_rate * (left if config.anneal_learning_rate else 1.0),
        n_steps=config.rollout_steps,
        batch_size=config.minibatch_size,
        n_epochs=config.epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip,
        ent_coef=config.entropy_start,
        vf_coef=config.value_coefficient,
        max_grad_norm=config.gradient_norm,
        seed=config.seed,
        device="auto",
    )
    return model.learn(steps)
