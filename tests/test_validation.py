"""The checks before a long run: each says OK on a sound machine, and FAIL or WARN with a reason when what it looks at is broken."""

import dataclasses
import json
from collections import namedtuple

import numpy as np
import pytest
import torch
from policy_inputs import DYNAMICS, REWARD, TOKENIZER, PolicyInputs, make_inputs

from emurl_core.artifacts import ArtifactStore
from emurl_core.cli import main
from emurl_core.game import GameConfig
from emurl_core.policy import PolicyConfig
from emurl_core.profiles import Profile
from emurl_core.reward import RewardModel
from emurl_core.runtime import RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.validation import CHECKS, ValidationConfig, machine, playing, throughput, validate

Usage = namedtuple("Usage", "total used free")
SMALL = Profile(
    runtime=RuntimeConfig(device="cpu", threads=1),
    tokenizer=TOKENIZER,
    dynamics=DYNAMICS,
    reward=REWARD,
    policy=PolicyConfig(
        iterations=2, envs=2, workers=0, rollout_steps=8, minibatch_size=8, episode_steps=10, frame_stack=2
    ),
    validation=ValidationConfig(intro_episodes=4, played_steps=60, timed_steps=1),
)
NAMES = tuple(name for names in CHECKS for name in names)


def answers(plan, store, names=None):
    return {f.check: f for f in validate(plan, store, names)}


def changed(**sections):
    """The small plan with some settings of some sections changed."""
    return SMALL.model_copy(update={k: getattr(SMALL, k).model_copy(update=v) for k, v in sections.items()})


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return answers(SMALL, ArtifactStore(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A home with a dataset and tiny models."""
    context = StageContext(ArtifactStore(tmp_path_factory.mktemp("learnt")), runtime=SMALL.runtime)
    return context.store, make_inputs(context)


def test_the_embedded_game_passes_and_what_is_not_there_yet_is_a_warning(sound):
    assert tuple(sound) == NAMES
    for name in ("device", "rom", "picture", "intro", "throughput"):
        assert sound[name].verdict == "OK", sound[name]
    for name in ("dataset", "tokenizer gate", "reward gate", "ood gate", "reward", "time penalty"):
        assert sound[name].verdict == "WARN", sound[name]
    assert "left the intro in 4 of 4 episodes" in sound["intro"].message
    assert "shades [0, 1, 2, 3]" in sound["picture"].message
    assert sound["intro"].figures["left"] == 4


def test_only_what_is_asked_for_is_asked(tmp_path):
    assert list(answers(SMALL, ArtifactStore(tmp_path), ("device", "time penalty"))) == [
        "device",
        "time penalty",
    ]


def test_a_wrong_rom_fails_every_check_that_needs_one_and_stops_no_other(tmp_path):
    rom = tmp_path / "wrong.gb"
    rom.write_bytes(bytes(32768))
    wrong = SMALL.model_copy(update={"game": GameConfig(game="pokemon_red", rom=str(rom))})
    found = answers(wrong, ArtifactStore(tmp_path / "home"))
    assert [found[c].verdict for c in ("rom", "picture", "intro", "throughput")] == ["FAIL"] * 4
    assert "SHA-1" in found["rom"].message
    assert found["device"].verdict == "OK"


@pytest.mark.parametrize(("free", "verdict"), [(20e9, "OK"), (5e9, "WARN"), (5e8, "FAIL")])
def test_a_disk_that_fills_up_is_told_before(tmp_path, monkeypatch, free, verdict):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(1e12, 0, free))
    found = machine.check_disk(SMALL, ArtifactStore(tmp_path))
    assert found.verdict == verdict
    assert f"{free / 1e9:.1f} GB free" in found.message
    assert found.figures["free_gb"] == free / 1e9


def test_a_device_that_is_absent_or_miscalculates_fails(tmp_path, monkeypatch):
    store = ArtifactStore(tmp_path)
    if not torch.cuda.is_available():
        found = answers(changed(runtime={"device": "cuda"}), store, ("device",))["device"]
        assert found.verdict == "FAIL"
        assert "no CUDA device" in found.message
    ones = torch.ones
    monkeypatch.setattr(machine.torch, "ones", lambda *a, **k: 1.5 * ones(*a, **k))
    assert machine.check_device(SMALL, store).verdict == "FAIL"


def test_a_picture_of_one_shade_or_of_another_shape_fails(tmp_path, monkeypatch):
    step = playing.VectorGame.step
    for broken in (lambda f: np.zeros_like(f), lambda f: f[:, :100], lambda f: f + 3):
        monkeypatch.setattr(playing.VectorGame, "step", lambda self, a, b=broken: b(step(self, a)))
        assert playing.check_picture(SMALL, ArtifactStore(tmp_path)).verdict == "FAIL"


def test_an_intro_that_random_play_does_not_leave_fails(tmp_path):
    found = playing.check_intro(changed(validation={"intro_steps": 3}), ArtifactStore(tmp_path))
    assert found.verdict == "FAIL"
    assert "0 of 4" in found.message


def test_an_empty_split_fails(learnt):
    store, inputs = learnt
    assert answers(SMALL, store, ("dataset",))["dataset"].verdict == "OK"
    videos = [v for v in inputs.dataset.facts["videos"] if v["split"] != "test"]
    found = _with_facts(store, inputs, "frame_dataset", {"videos": videos}, "dataset")
    assert found.verdict == "FAIL"
    assert "0 frames test" in found.message


@pytest.mark.parametrize(
    ("name", "kind"),
    [("reward gate", "reward_model"), ("tokenizer gate", "tokenizer"), ("ood gate", "ood_detector")],
)
def test_a_model_below_its_gate_fails(learnt, name, kind):
    store, inputs = learnt
    assert _with_facts(store, inputs, kind, {"gate_passed": True, "gate": "x"}, name).verdict == "OK"
    failed = _with_facts(store, inputs, kind, {"gate_passed": False, "gate": "accuracy >= 2"}, name)
    assert failed.verdict == "FAIL"
    assert "accuracy >= 2" in failed.message


def test_a_reward_that_pays_random_play_more_than_an_expert_fails(learnt, monkeypatch):
    store, _ = learnt
    # Progress as a clock would tell it for the expert's frames, and none for the others: frames are told by their number.
    monkeypatch.setattr(
        "emurl_core.validation.reward_sense._expert",
        lambda plan, model, store, steps: iter([_numbered(steps, 1)]),
    )
    monkeypatch.setattr(
        "emurl_core.validation.reward_sense._random", lambda plan, steps: iter([_numbered(steps, 0)])
    )
    for sign, verdict in ((1, "OK"), (-1, "FAIL")):
        monkeypatch.setattr(
            RewardModel, "progress", lambda self, f, t=None, s=sign: _number(f) * s / 60 + (s < 0)
        )
        found = answers(SMALL, store, ("reward", "time penalty"))
        assert found["reward"].verdict == verdict, found["reward"]
    assert found["reward"].figures["advantage_per_step"] == pytest.approx(-1 / 60, rel=0.2)
    least = changed(validation={"least_advantage": 0.5})
    monkeypatch.setattr(RewardModel, "progress", lambda self, f, t=None: _number(f) / 60)
    assert answers(least, store, ("reward",))["reward"].verdict == "FAIL"


def test_a_time_penalty_above_a_tenth_of_an_experts_gain_warns(learnt, monkeypatch):
    store, _ = learnt
    monkeypatch.setattr(
        "emurl_core.validation.reward_sense._expert",
        lambda plan, model, store, steps: iter([_numbered(steps, 1)]),
    )
    monkeypatch.setattr(RewardModel, "progress", lambda self, f, t=None: _number(f) / 60)
    for penalty, verdict in ((0.0, "OK"), (0.001, "OK"), (0.004, "WARN")):
        found = answers(changed(policy={"time_penalty": penalty}), store, ("time penalty",))["time penalty"]
        assert found.verdict == verdict, found
    assert "lower policy.time_penalty" in found.message
    assert found.figures["expert_mean_per_step"] == pytest.approx(1 / 60, rel=0.2)


def test_the_expert_of_other_games_are_the_held_out_speedruns(learnt):
    from emurl_core.frames.dataset import FrameDataset
    from emurl_core.validation.reward_sense import _expert

    store, inputs = learnt
    frames = FrameDataset.open(inputs.dataset, store)
    other = SMALL.model_copy(update={"game": GameConfig(game="rom")})
    shown = list(_expert(other, inputs.reward_model, store, 4))
    runs = frames.runs("test")
    assert len(shown) == len(runs) == 2
    for i, (episode, run) in enumerate(zip(shown, runs, strict=True)):
        # One stretch a quarter of the way in, one three quarters: the title alone would be no expert.
        begin = round((run.length - 5) * (0.25, 0.75)[i])
        np.testing.assert_array_equal(episode, frames.shades(run.rows[begin : begin + 5]))


def test_a_graphics_card_that_gives_up_fails_its_check_and_stops_no_other(tmp_path, monkeypatch):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(throughput, "pick_device", out_of_memory)
    found = answers(SMALL, ArtifactStore(tmp_path), ("throughput", "disk"))
    assert found["throughput"].verdict == "FAIL"
    assert "out of memory" in found["throughput"].message
    assert found["disk"].verdict != "FAIL"


def test_the_expert_of_the_embedded_game_gets_somewhere(learnt):
    from emurl_core.validation.reward_sense import _expert

    (frames,) = _expert(SMALL, learnt[1].reward_model, learnt[0], 40)
    assert frames.shape == (41, 144, 160)
    assert len({f.tobytes() for f in frames}) > 15


def test_the_estimate_grows_with_what_is_configured_and_warns_of_days(sound, tmp_path):
    figures = sound["throughput"].figures
    assert figures["eta_s"] == pytest.approx(
        sum(figures[f"{s}_eta_s"] for s in ("tokenizer", "dynamics", "reward", "policy"))
    )
    assert figures["tokenizer_eta_s"] == pytest.approx(TOKENIZER.steps * figures["tokenizer_step_s"])
    endless = changed(tokenizer={"steps": 10_000_000})
    found = throughput.check_throughput(endless, ArtifactStore(tmp_path))
    assert found.verdict == "WARN"
    assert " days on this CPU" in found.message
    assert not [p for p in tmp_path.iterdir() if p.is_dir()], "nothing stays behind"


def test_a_cloned_beginning_is_counted_with_what_it_needs(tmp_path):
    cloned = changed(policy={"warm_start": True}, warm_start={"steps": 30}, inverse_dynamics={"steps": 20})
    figures = throughput.check_throughput(cloned, ArtifactStore(tmp_path)).figures
    for stage, count in (("cloning", 30), ("inverse_dynamics", 20)):
        assert figures[f"{stage}_eta_s"] == pytest.approx(count * figures[f"{stage}_step_s"])
    stages = ("tokenizer", "dynamics", "reward", "inverse_dynamics", "cloning", "policy")
    assert figures["eta_s"] == pytest.approx(sum(figures[f"{s}_eta_s"] for s in stages))


def test_an_encoder_that_is_trained_costs(tmp_path, sound):
    seeing = changed(policy={"train_encoder": True})
    figures = throughput.check_throughput(seeing, ArtifactStore(tmp_path)).figures
    assert figures["policy_step_s"] > sound["throughput"].figures["policy_step_s"]


def test_a_slow_step_is_seen_in_the_estimate(tmp_path, monkeypatch):
    import time

    from emurl_core.dynamics import Dynamics

    loss = Dynamics.loss

    def slowly(self, batch):
        time.sleep(0.4)
        return loss(self, batch)

    monkeypatch.setattr(Dynamics, "loss", slowly)
    figures = throughput.check_throughput(SMALL, ArtifactStore(tmp_path)).figures
    assert figures["dynamics_step_s"] > 0.4 > figures["tokenizer_step_s"]


def test_the_command_prints_json_and_its_status_tells(tmp_path, capsys):
    mine = tmp_path / "mine.toml"
    settings = SMALL.model_dump(mode="json", exclude_unset=True)
    settings["validation"] |= {"intro_steps": 2}
    mine.write_text("".join(_toml(section, values) for section, values in settings.items()))
    status = {}
    for steps in ("2", "1000"):
        with pytest.raises(SystemExit) as left:
            main(["--profile", str(mine), "validate", "--json", "--intro-steps", steps])
        found = json.loads(capsys.readouterr().out)
        status[steps] = left.value.code
        assert found["failed"] == sum(f["verdict"] == "FAIL" for f in found["findings"])
        assert [f["check"] for f in found["findings"]] == list(NAMES)
        assert all(isinstance(v, float) for f in found["findings"] for v in f["figures"].values())
    assert status == {"2": 1, "1000": 0}


def _toml(section, values):
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if v is not None]
    return "\n".join([f"[{section}]", *lines, ""])


def _with_facts(store, inputs: PolicyInputs, kind, facts, name):
    """What a check says when the newest artifact of a kind has these facts."""
    real = getattr(inputs, {"frame_dataset": "dataset", "ood_detector": "tokenizer"}.get(kind, kind))
    other = dataclasses.replace(real, record={**real.record, "facts": {**real.facts, **facts}})

    class Store(ArtifactStore):
        def find(self, wanted, *args):
            return other if wanted == kind else super().find(wanted, *args)

    return answers(SMALL, Store(store.home), (name,))[name]


def _numbered(steps, moving):
    """Frames that carry their number, or all the same one."""
    frames = np.zeros((steps + 1, 144, 160), np.uint8)
    frames[:, 0, :8] = (moving * np.arange(steps + 1))[:, None] >> np.arange(8) & 1
    return frames


def _number(frames):
    return (frames[:, 0, :8].long() << torch.arange(8)).sum(1).float()
