"""The shared training loop: learning, resuming after a real kill, guards, validation."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from emurl_core.artifacts import ArtifactError, ArtifactStore
from emurl_core.runtime import JsonLinesSink, NullSink, RuntimeConfig
from emurl_core.stage import StageContext
from emurl_core.training import Batch, FitConfig, Losses, Trainable, TrainingError, fit, loop, step_generator
from emurl_core.training.checkpoint import FILE

CONFIG = FitConfig(
    steps=60, batch_size=16, learning_rate=1e-2, warmup_steps=5, validate_every=10, clip_norm=10.0
)


class Line(Trainable):
    """Learns y = 3x − 1 with dropout noise and a buffer that counts, so that all kinds of state matter."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))
        self.seen: torch.Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def loss(self, batch: Batch) -> Losses:
        self.seen += len(batch["x"])
        error = (self.layer(batch["x"]) - batch["y"]).square().mean()
        return error, {"error": error.detach()}


def batches(step: int) -> Batch:
    x = torch.from_numpy(step_generator(CONFIG.seed, step).standard_normal((CONFIG.batch_size, 1))).float()
    return {"x": x, "y": 3 * x - 1}


def train(
    work: Path,
    config: FitConfig = CONFIG,
    draw: Callable[[int], Batch] = batches,
    context: StageContext | None = None,
    checkpoint_every_s: float = 1000.0,
    validate_start: bool = False,
) -> tuple[Line, object]:
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    model = Line()
    held_out = batches(10**6)
    context = context or StageContext(ArtifactStore(work), NullSink(), RuntimeConfig(device="cpu", threads=1))
    result = fit(
        model, draw, config, context, work, name="line",
        validate=lambda: {"loss": float(model.loss(held_out)[0])}, checkpoint_every_s=checkpoint_every_s,
        validate_start=validate_start,
    )  # fmt: skip
    return model, result


def slow_batches(step: int) -> Batch:
    time.sleep(0.05)
    return batches(step)


def test_training_lowers_the_loss_and_reports_curves(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "curves.jsonl")
    context = StageContext(ArtifactStore(tmp_path), sink, RuntimeConfig(device="cpu", threads=1))
    model, result = train(tmp_path / "work", context=context)
    curves = sink.path.read_text()
    assert '"line/validation_loss"' in curves
    assert '"line/gradient_norm"' in curves
    with torch.no_grad():
        untrained = float(Line().eval().loss(batches(3))[0])
        assert float(model.loss(batches(3))[0]) < 0.3 * untrained
    assert result.steps == 60


def test_a_training_killed_in_the_middle_resumes_to_the_very_same_bits(tmp_path: Path) -> None:
    expected, expected_result = train(tmp_path / "whole")
    work = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_training_loop as t;"
         "t.train(Path(sys.argv[2]), draw=t.slow_batches, checkpoint_every_s=0.1)",
         str(Path(__file__).parent), str(work)], stderr=subprocess.DEVNULL)  # fmt: skip
    while not (work / FILE).is_file():
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(0.7)
    child.kill()
    assert child.wait() == -9
    drawn: list[int] = []

    def watched(step: int) -> Batch:
        drawn.append(step)
        return batches(step)

    resumed, result = train(work, draw=watched)
    assert 0 < min(drawn) < CONFIG.steps - 1, (
        "the second sitting must go on from where the first one was killed"
    )
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    for name, tensor in expected_result.last.items():
        assert torch.equal(tensor, result.last[name]), name
    assert result.best_step == expected_result.best_step


def test_two_trainings_with_one_seed_are_equal_and_another_seed_differs(tmp_path: Path) -> None:
    first, _ = train(tmp_path / "a")
    again, _ = train(tmp_path / "b")
    other, _ = train(tmp_path / "c", CONFIG.model_copy(update={"seed": 1}))
    assert torch.equal(first.layer[0].weight, again.layer[0].weight)
    assert not torch.equal(first.layer[0].weight, other.layer[0].weight)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first, _ = train(tmp_path / "work")

    def refuse(step: int) -> Batch:
        raise AssertionError("no batch may be drawn")

    again, result = train(tmp_path / "work", draw=refuse)
    assert torch.equal(first.layer[0].weight, again.layer[0].weight)
    assert result.steps == 60


def test_the_best_weights_win_and_training_stops_early(tmp_path: Path) -> None:
    def spoiled(step: int) -> Batch:
        batch = batches(step)
        return batch if step < 20 else {"x": batch["x"], "y": -50 * batch["y"]}

    model, result = train(tmp_path / "work", CONFIG.model_copy(update={"patience": 2}), spoiled)
    assert result.best_step == 20
    assert result.steps == 40
    assert not torch.equal(result.last["layer.0.weight"], model.layer[0].weight)
    with torch.no_grad():
        assert float(model.loss(batches(3))[0]) < 50


def test_a_start_that_training_only_spoils_is_kept_when_it_was_looked_at(tmp_path: Path) -> None:
    def spoiling(step: int) -> Batch:
        batch = batches(step)
        return {"x": batch["x"], "y": -50 * batch["y"]}

    torch.manual_seed(CONFIG.seed)
    start = Line()
    for looked in (True, False):
        model, result = train(tmp_path / str(looked), draw=spoiling, validate_start=looked)
        assert (result.best_step == 0) == looked
        assert torch.equal(model.layer[0].weight, start.layer[0].weight) == looked
        assert result.steps == CONFIG.steps


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_a_message_and_keeps_the_good_state(
    tmp_path: Path, poison: float
) -> None:
    def poisoned(step: int) -> Batch:
        batch = batches(step)
        return {**batch, "y": batch["y"] * poison} if step == 7 else batch

    with pytest.raises(TrainingError, match=r"at step 7, expected finite.*Lower learning_rate \(now 0.01\)"):
        train(tmp_path / "work", draw=poisoned, checkpoint_every_s=0)
    state = load_file(tmp_path / "work" / FILE)
    assert all(torch.isfinite(t).all() for t in state.values())


def test_a_resume_state_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    save_file({"model/other": torch.zeros(2)}, tmp_path / "work" / FILE, metadata={"progress": '{"step": 3}'})
    with pytest.raises(ArtifactError, match=r"does not fit this training.*delete the folder"):
        train(tmp_path / "work")
    (tmp_path / "work" / FILE).write_bytes(b"not safetensors")
    with pytest.raises(ArtifactError, match=r"does not fit this training.*delete the folder"):
        train(tmp_path / "work")


def test_the_learning_rate_warms_up_and_ends_at_its_floor() -> None:
    config = FitConfig(steps=100, warmup_steps=10, learning_rate=1.0, final_learning_rate_share=0.1)
    assert config.learning_rate_at(0) == pytest.approx(0.1)
    assert config.learning_rate_at(10) == pytest.approx(1.0)
    assert config.learning_rate_at(100) == pytest.approx(0.1)


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_on_a_cpu_is_used_where_asked_for_and_not_emulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr(loop, "cpu_computes_in_bfloat16", lambda: native)
    exact, _ = train(tmp_path / "a")
    rough, _ = train(tmp_path / "b", CONFIG.model_copy(update={"cpu_bfloat16": True}))
    assert torch.equal(exact.layer[0].weight, rough.layer[0].weight) != native
