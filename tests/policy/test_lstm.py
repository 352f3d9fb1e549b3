"""A policy with a memory over steps: what it remembers, when it forgets, and that it can learn what needs remembering."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import CODES, ToyGame, toy_look, toy_shape

from emurl_core.policy import PolicyConfig, VQPolicy
from emurl_core.policy.memory import NO_BUTTON
from emurl_core.policy.ppo import Rollout, update
from emurl_core.policy.rollout import Collector
from emurl_core.policy.sight import Sight
from emurl_core.screen import TOKENS

CPU = torch.device("cpu")
STEPS, ENVS, LSTM = 3, 24, 12


def network_with(lstm: int, frames: int = 1) -> VQPolicy:
    torch.manual_seed(0)
    return VQPolicy(replace(toy_shape(frames), lstm=lstm))


def cue_rollout(network: VQPolicy, stream: np.random.Generator) -> Rollout:
    """The first frame shows which of two buttons pays at the last step; all frames between are alike."""
    cues = torch.from_numpy(stream.integers(2, size=ENVS))
    stacks = torch.zeros(STEPS, ENVS, 1, TOKENS, dtype=torch.int16)
    stacks[0, :, 0] = 1 + cues.short()[:, None]
    previous = torch.full((STEPS, ENVS), NO_BUTTON)
    hidden = torch.zeros(ENVS, 2 * network.shape.lstm)
    first, actions, chances, values = hidden, [], [], []
    with torch.no_grad():
        for t in range(STEPS):
            logits, value, hidden = network(stacks[t], previous[t], hidden)
            log_all = logits.log_softmax(1)
            action = torch.from_numpy((log_all.numpy() + stream.gumbel(size=log_all.shape)).argmax(1))
            actions.append(action)
            chances.append(log_all.gather(1, action[:, None])[:, 0])
            values.append(value)
    rewards = torch.zeros(STEPS, ENVS)
    rewards[-1] = (actions[-1] == cues).float()
    cut = torch.zeros(STEPS, ENVS, dtype=torch.bool)
    cut[-1] = True
    return Rollout(
        stacks, previous, torch.stack(actions), torch.stack(chances), torch.stack(values), rewards, cut,
        torch.zeros(STEPS, ENVS), torch.zeros(ENVS), first,
    )  # fmt: skip


def share_right(lstm: int, iterations: int) -> float:
    config = PolicyConfig(
        iterations=iterations, envs=ENVS, rollout_steps=STEPS, minibatch_size=STEPS * 12, lstm=lstm,
        learning_rate=3e-3, gamma=1.0, epochs=4, entropy_start=0.01,
    )  # fmt: skip
    network, stream = network_with(lstm), np.random.default_rng(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for iteration in range(iterations):
        rollout = cue_rollout(network, stream)
        update(network, optimizer, rollout, config, iteration, stream, CPU)
    return float(np.mean([cue_rollout(network, stream).rewards[-1].mean() for _ in range(10)]))


def test_what_was_shown_once_and_pays_later_is_learnt_with_a_memory_and_not_without() -> None:
    assert share_right(LSTM, 40) > 0.9
    assert share_right(0, 25) < 0.65


def test_many_steps_in_a_row_are_the_same_steps_one_by_one_with_nothing_carried_over_an_episodes_end() -> (
    None
):
    network = network_with(LSTM)
    torch.nn.init.normal_(network.recall.weight)
    stacks = torch.randint(CODES, (STEPS, 3, 1, TOKENS))
    previous = torch.randint(9, (STEPS, 3))
    hidden = torch.randn(3, 2 * LSTM)
    starts = torch.zeros(STEPS, 3, dtype=torch.bool)
    starts[2, 1] = True
    together = network(stacks.flatten(0, 1), previous.flatten(), hidden, starts)
    state, alone = hidden, []
    for t in range(STEPS):
        state = torch.where(starts[t][:, None], torch.zeros_like(state), state)
        logits, _, state = network(stacks[t], previous[t], state)
        alone.append(logits)
    torch.testing.assert_close(together[0], torch.cat(alone))
    torch.testing.assert_close(together[2], state)
    never = network(stacks.flatten(0, 1), previous.flatten(), hidden, torch.zeros_like(starts))[0]
    assert not torch.allclose(
        never.unflatten(0, (STEPS, 3))[2:, 1], together[0].unflatten(0, (STEPS, 3))[2:, 1]
    )


def test_a_new_memory_changes_nothing_at_first_so_that_a_policy_without_one_may_go_on_with_it() -> None:
    plain, remembering = network_with(0), network_with(LSTM)
    remembering.load_state_dict(plain.state_dict(), strict=False)
    stacks, previous = torch.randint(CODES, (4, 1, TOKENS)), torch.randint(9, (4,))
    torch.testing.assert_close(plain(stacks, previous)[0], remembering(stacks, previous)[0])


def test_played_steps_and_learnt_steps_agree_across_episodes_and_rollouts() -> None:
    config = PolicyConfig(
        envs=3, rollout_steps=8, minibatch_size=8, episode_steps=5, lstm=LSTM, frame_stack=1, workers=0, cached_frames=64
    )  # fmt: skip
    network = network_with(LSTM)
    torch.nn.init.normal_(network.recall.weight)
    collector = Collector(ToyGame(3), Sight(toy_look, 64), config, CPU)
    collector.begin()
    for _ in range(3):
        rollout = collector.collect(network)
        with torch.no_grad():
            logits, values, _ = network(
                rollout.stacks.flatten(0, 1), rollout.previous.flatten(), rollout.first_hidden, rollout.starts
            )
        chances = logits.log_softmax(1).gather(1, rollout.actions.flatten()[:, None])[:, 0]
        torch.testing.assert_close(chances, rollout.log_probabilities.flatten())
        torch.testing.assert_close(values, rollout.values.flatten())
    assert rollout.cut.any()
    assert rollout.first_hidden.abs().sum() > 0


def test_a_minibatch_that_cuts_through_stretches_of_play_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of rollout_steps = 128"):
        PolicyConfig(lstm=64, minibatch_size=200)
