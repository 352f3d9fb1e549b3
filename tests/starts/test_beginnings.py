"""Where episodes begin, and when a state is taken on the way."""

from pathlib import Path

import numpy as np
import pytest
from playing import GAME, ROM, Play, beginnings, library_of

from emurl_core.game import VectorGame
from emurl_core.starts import FromArchive, FromPowerOn, StartLibrary, verify
from emurl_core.starts.beginnings import Played
from emurl_core.starts.cells import band_of
from emurl_core.starts.ways import POWER_ON


class Corridor:
    """A stand-in for the emulators, where every step leads one place on; a save state is the place."""

    def __init__(self, envs: int) -> None:
        self.envs = envs
        self.place = np.zeros(envs, np.int64)
        self.frames = np.zeros((envs, 144, 160), np.uint8)
        self.restarted = np.zeros(envs, bool)
        self.idle_frames = np.zeros(envs, np.int32)
        self.resets: list[tuple[str, list[int]]] = []
        self.saved = 0
        self.fail = False
        self.thrown_back: int | None = None

    def reset(self, indices=None, *, seeds=None, states=b"", idle=True):
        self.restarted[:] = False
        rows = [int(i) for i in indices]
        self.resets.append(("power-on" if seeds is not None else "state", rows))
        starts = [b""] * len(rows) if isinstance(states, bytes) else states
        for row, state in zip(rows, starts, strict=True):
            self.place[row] = int.from_bytes(state, "little")
            self.idle_frames[row] = 3 if idle else 0
        if self.thrown_back is not None:
            row = self.thrown_back
            self.place[row], self.idle_frames[row], self.restarted[row] = 0, 5, True
        return self.frames

    def save_states(self, indices=None):
        self.saved += 1
        if self.fail:
            self.restarted[0] = True
            self.place[0] = 0
            raise RuntimeError("found a lost worker while the emulators were saved")
        return [int(self.place[row]).to_bytes(4, "little") for row in indices]


class Walk:
    """Plays the corridor: progress is the place by a hundred, each place has tokens of its own."""

    def __init__(self, game: Corridor, starts: FromArchive, seed: int = 0) -> None:
        self.game, self.starts, self.stream = game, starts, np.random.default_rng(seed)
        self.begin(np.ones(game.envs, bool), np.zeros(game.envs, bool))

    @property
    def progress(self) -> np.ndarray:
        return self.game.place / 100

    def begin(self, rows: np.ndarray, lost: np.ndarray) -> None:
        self.starts.begin(self.game, rows, lost, self.stream)

    def step(self, worth: float = 1.0, lost: np.ndarray | None = None) -> np.ndarray:
        game = self.game
        game.place += 1
        tokens = np.tile(game.place[:, None], (1, 90)).astype(np.int16)
        lost = np.zeros(game.envs, bool) if lost is None else lost
        return self.starts.step(
            game, Played(np.ones(game.envs, np.int64), tokens, self.progress, np.full(game.envs, worth), lost)
        )

    def end(self) -> None:
        everyone = np.ones(self.game.envs, bool)
        self.starts.end(everyone)
        self.begin(everyone, ~everyone)


def test_power_on_is_every_episode_when_that_is_chosen() -> None:
    game, starts, stream = Corridor(4), FromPowerOn(4), np.random.default_rng(0)
    lost = np.array([False, True, False, False])
    for _ in range(5):
        starts.begin(game, np.array([True, True, False, True]), lost, stream)
    assert game.resets == [("power-on", [0, 3])] * 5
    assert starts.at_power_on.all()
    assert starts.state() == {}


def test_the_share_that_was_asked_for_begins_in_the_archive_once_it_holds_states() -> None:
    walk = Walk(Corridor(100), beginnings(100, share=0.3))
    assert walk.starts.at_power_on.all(), "there is nothing else at first"
    for _ in range(30):
        walk.step()
    begun = []
    for _ in range(20):
        walk.end()
        begun.append(walk.starts.at_power_on.mean())
    assert np.mean(begun) == pytest.approx(0.7, abs=0.04)
    archived = ~walk.starts.at_power_on
    assert (walk.game.place[archived] > 0).all()
    assert (walk.game.place[~archived] == 0).all()
    assert (walk.game.idle_frames[archived] == 0).all(), "waiting would lead off the way"


def test_a_share_of_none_is_power_on_and_a_share_of_all_is_the_archive() -> None:
    for share, at_power_on in ((0.0, True), (1.0, False)):
        walk = Walk(Corridor(10), beginnings(10, share=share))
        for _ in range(5):
            walk.step()
        walk.end()
        assert (walk.starts.at_power_on == at_power_on).all()


def test_states_are_taken_sparsely_and_the_frontier_always() -> None:
    walk = Walk(Corridor(5), beginnings(5, share=0.0, saves=2, rollout_steps=10, capacity=100))
    for _ in range(50):
        walk.step()
    # 2 in each of 5 rollouts, and the first state of each band that the corridor enters: 0.025 is 2.5 places.
    frontiers = len({int(b) for b in band_of(np.arange(1, 51) / 100)})
    assert frontiers <= walk.game.saved <= 10 + frontiers
    assert {h.band for h in walk.starts.archive.held.values()} == set(
        band_of(np.arange(1, 51) / 100).tolist()
    )
    before = walk.game.saved
    walk.end()
    for _ in range(10):
        walk.step()
    assert walk.game.saved <= before + 2, "what is known is not taken again, what is new not at once"


def test_nothing_is_taken_where_progress_is_a_guess_or_the_emulator_was_lost() -> None:
    walk = Walk(Corridor(3), beginnings(3))
    for _ in range(10):
        walk.step(worth=0.4)
        walk.step(lost=np.ones(3, bool))
    assert walk.game.saved == 0
    walk.step()
    assert walk.game.saved == 1


def test_a_new_episodes_progress_is_not_believed_before_it_is_smooth() -> None:
    walk = Walk(Corridor(3), beginnings(3, settle_steps=4))
    for _ in range(2):
        for _ in range(3):
            walk.step()
        walk.end()
    assert walk.game.saved == 0
    assert not walk.starts.archive.counts.any()
    for _ in range(4):
        walk.step()
    assert walk.game.saved == 1


def test_a_worker_that_is_lost_while_a_state_is_taken_costs_its_episodes_only() -> None:
    walk = Walk(Corridor(3), beginnings(3))
    walk.game.fail = True
    late = walk.step()
    assert late.tolist() == [True, False, False]
    assert not walk.starts.archive.held
    walk.game.fail = False
    walk.begin(late, late)
    walk.step()
    (held,) = walk.starts.archive.held.values()
    assert held.way.steps == 2, "the one who goes on is two steps from power-on"


def test_an_emulator_that_is_lost_while_episodes_begin_stands_at_power_on_whatever_was_asked() -> None:
    walk = Walk(Corridor(3), beginnings(3, share=1.0))
    for _ in range(5):
        walk.step()
    walk.game.thrown_back = 1
    walk.end()
    assert walk.starts.at_power_on.tolist() == [False, True, False]
    walk.game.thrown_back = None
    walk.game.place[:] = [0, 70, 0]
    walk.step()
    newest = max(walk.starts.archive.held.values(), key=lambda h: h.number)
    assert (newest.progress, newest.way.parent, newest.way.idle_frames) == (0.71, POWER_ON, 5)


def test_an_episode_that_gained_and_lost_it_again_counts_as_a_success_and_the_next_one_begins_from_nothing() -> (
    None
):
    walk = Walk(Corridor(8), before := beginnings(8, share=1.0, gain=0.045, saves=50, capacity=100))
    for _ in range(30):
        walk.step()
    walk.end()
    for _ in range(5):
        walk.step(worth=0.0)
    walk.game.place[:] = 0
    walk.step(worth=0.0)
    walk.starts = beginnings(8, share=1.0, gain=0.045, saves=50, capacity=100)
    walk.starts.restore(before.state())
    walk.end()
    assert walk.starts.report()["starts_gaining_share"] == 1.0
    walk.end()
    assert walk.starts.report()["starts_gaining_share"] == 0.0


def test_episodes_that_gain_lead_the_start_back_and_are_counted_where_they_began() -> None:
    walk = Walk(Corridor(8), beginnings(8, share=1.0, gain=0.015, saves=50, capacity=100))
    for _ in range(30):
        walk.step()
    walk.end()
    levels = [walk.starts.report()["starts_level"]]
    for steps in (1, 2, 2):
        for _ in range(steps):
            walk.step(worth=0.0)
        walk.end()
        found = walk.starts.report()
        levels.append(found["starts_level"])
        assert found["starts_gaining_share"] == (steps == 2)
    assert levels == pytest.approx([0.3, 0.3, 0.275, 0.25])
    counted = [(h.begun, h.succeeded) for h in walk.starts.archive.held.values() if h.begun]
    assert np.sum(counted, 0).tolist() == [24, 16]


def test_beginnings_that_were_stored_go_on_as_the_same(tmp_path: Path) -> None:
    starts = beginnings(2)
    with VectorGame(GAME, 2, seed=3) as game:
        play = Play(game, starts, seed=3)
        play.run(100)
        stored, states, stream = starts.state(), game.save_states(), play.stream.bit_generator.state
        age, known = play.age.copy(), dict(play.known)
        play.run(100)
        expected = library_of(starts, StartLibrary(tmp_path / "expected"))

        again = beginnings(2)
        game.reset(states=states, idle=False)
        resumed = Play.__new__(Play)
        resumed.game, resumed.starts, resumed._episode_steps = game, again, 40
        resumed.stream = np.random.default_rng()
        resumed.stream.bit_generator.state = stream
        resumed.age, resumed.known, resumed.began_at_power_on = age, known, []
        again.restore(stored)
        resumed.run(100)
        found = library_of(again, StartLibrary(tmp_path / "found"))
    assert found.ids == expected.ids
    assert len(found) > 5
    assert all(r.holds for r in verify(found, ROM)), "ways stay known over an interruption"
    assert again.report() == starts.report()
