"""The dynamics network alone: size, order of sight, copying, drawing."""

import math

import pytest
import torch

from emurl_core.dynamics import Dynamics, DynamicsConfig, Transformer
from emurl_core.dynamics.transformer import Memory

SMALL = DynamicsConfig(width=16, layers=2, heads=2, feedforward=32)


def model(config: DynamicsConfig = SMALL, codes: int = 24) -> Dynamics:
    torch.manual_seed(0)
    return Dynamics(config, codes).eval()


def clips(count: int = 2, codes: int = 24) -> torch.Tensor:
    return torch.randint(codes, (count, 3, 90), generator=torch.Generator().manual_seed(1))


def test_the_full_profile_has_1_60_million_parameters() -> None:
    assert sum(p.numel() for p in Dynamics(DynamicsConfig(), 512).parameters()) == 1_600_065


def test_a_prediction_sees_what_came_before_it_and_nothing_after() -> None:
    net, before = model(), clips()
    with torch.no_grad():
        first = net.logits(before)
        for place in (0, 41, 89):
            after = before.clone()
            after[:, 2, place:] = (after[:, 2, place:] + 1) % 24
            changed = (net.logits(after) - first).abs().amax(-1)
            assert changed[:, 1, : place + 1].max() == 0, (
                "nothing of the future may be seen, the token itself included"
            )
            assert place == 89 or changed[:, 1, place + 1].min() > 0, "what came before must be seen"


def test_an_untrained_model_copies_with_its_gate_and_guesses_without() -> None:
    with torch.no_grad():
        gated = model().logits(clips()).argmax(-1)
        free = model(SMALL.model_copy(update={"copy_gate": False})).logits(clips()).argmax(-1)
    assert (gated == clips()[:, :-1]).float().mean() > 0.99
    assert (free == clips()[:, :-1]).float().mean() < 0.3


def test_the_gate_is_learnt_and_starts_at_four() -> None:
    net = model()
    assert float(net.gate.detach()) == 4.0
    net.loss({"clips": clips()})[0].backward()
    assert net.gate.grad is not None
    assert float(net.gate.grad) > 0, "random clips don't repeat: the gate must want to shrink"


def test_bits_of_a_model_that_knows_nothing_are_those_of_the_codebook() -> None:
    net = model(SMALL.model_copy(update={"copy_gate": False}))
    net.head.weight.data.zero_()
    _, metrics = net.loss({"clips": clips()})
    assert float(metrics["bits_per_frame"]) == pytest.approx(90 * math.log2(24), rel=1e-5)


def test_drawing_token_by_token_agrees_with_teacher_forcing() -> None:
    net = model()
    net.transformer.requires_grad_(False)
    for parameter in net.parameters():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    context = clips()[:, :2]
    drawn = net.continuation(context, frames=2, temperature=0)
    assert drawn.shape == (2, 2, 90)
    for f, before in enumerate((context, torch.cat([context[:, 1:], drawn[:, :1]], 1))):
        whole = torch.cat([before, drawn[:, f : f + 1]], 1)
        with torch.no_grad():
            assert torch.equal(net.logits(whole)[:, -1].argmax(-1), drawn[:, f])


def test_sampling_repeats_under_a_seed_and_varies_without() -> None:
    net = model(SMALL.model_copy(update={"copy_gate": False}))
    context = clips()[:, :2]
    draws = [net.continuation(context, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_transformer_can_look_both_ways_and_be_taken_over() -> None:
    torch.manual_seed(0)
    first, second = Transformer(16, 2, 2, 32), Transformer(16, 2, 2, 32)
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 7, 16)
    assert torch.equal(first(x), second(x))
    changed = x.clone()
    changed[:, -1] += torch.randn(16)
    assert (first(changed) - first(x))[:, 0].abs().max() > 0
    assert (first(changed, causal=True) - first(x, causal=True))[:, 0].abs().max() == 0


def test_remembered_keys_give_what_the_whole_sequence_gives() -> None:
    torch.manual_seed(0)
    net, x, memory = Transformer(16, 2, 2, 32).eval(), torch.randn(2, 9, 16), Memory(2)
    parts = [net(x[:, :5], True, memory), *(net(x[:, i : i + 1], True, memory) for i in range(5, 9))]
    assert torch.allclose(torch.cat(parts, 1), net(x, causal=True), atol=1e-5)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found width=16 and heads=3, expected a width that heads divides"):
        Transformer(16, 1, 3, 32)
