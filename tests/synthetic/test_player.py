"""The scripted player finishes the game in its own way, and its plays can be replayed frame by frame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emurl_core.game.embedded.state import STATE_ADDRESS, STATE_BYTES, Event, read_state
from emurl_core.game.embedded.world import MILESTONES, MapId
from emurl_core.game.emulator import Emulator
from emurl_core.synthetic import playthrough as playthroughs
from emurl_core.synthetic.agents import ScriptedAgent
from emurl_core.synthetic.hands import Hands
from emurl_core.synthetic.player import cached_play, play, play_by_steps
from emurl_core.synthetic.playthrough import Playthrough, Replay
from emurl_core.synthetic.routes import SHUNNED, Taste, find_way
from emurl_core.synthetic.temper import temper_of

SEEDS = (0, 6, 10)
"""6 and 10 type their names on the letter grid."""

Play = Callable[[int], Playthrough]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_player_reaches_the_ending_through_every_milestone_in_order(played: Play, seed: int):
    run = played(seed)
    assert run.finished
    assert [name for name, _ in run.milestones] == list(MILESTONES)
    assert np.all(np.diff([frame for _, frame in run.milestones]) > 0)
    assert 50 < run.length_s < 600


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_ends_in_the_very_same_state(played: Play, rom: bytes, seed: int):
    run = played(seed)
    with Emulator(rom) as emulator:
        replay = Replay(emulator, run.held)
        for frame in (17, 100, 101, 5000, run.frames):
            replay.advance(min(frame, run.frames))
        state = read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES))
    assert state.events & Event.ENDING
    assert (state.name, state.steps, state.level) == tuple(run.facts[k] for k in ("name", "steps", "level"))


def test_runs_differ_from_seed_to_seed_and_not_from_time_to_time(played: Play, rom: bytes):
    assert len({played(s).frames for s in SEEDS}) == len(SEEDS)
    assert np.array_equal(play(rom, SEEDS[0]).held, played(SEEDS[0]).held)


def test_ways_never_lead_through_the_grove_or_the_pit():
    route, inside = (MapId.ROUTE, 1, 11), (MapId.GROVE, 4, 9)
    taste = Taste(np.random.default_rng(0), noise=0.0, grass=0.0)
    assert find_way(route, inside, Event(0), taste, shunned=frozenset()) is not None
    assert find_way(route, inside, Event(0), taste) is None
    assert {int(MapId.GROVE), int(MapId.PIT)} == SHUNNED


@pytest.mark.parametrize("seed", SEEDS)
def test_who_wants_to_finish_stays_out_of_the_grove_and_the_pit(played: Play, rom: bytes, seed: int):
    run, seen = played(seed), set()
    with Emulator(rom) as emulator:
        replay = Replay(emulator, run.held)
        for frame in range(600, run.frames, 20):
            replay.advance(frame)
            seen.add(read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES)).map)
    assert seen >= {MapId.ROUTE, MapId.GYM}
    assert not seen & SHUNNED


def test_names_are_the_wanted_ones(played: Play):
    for seed in SEEDS[1:]:
        assert temper_of(seed).typed_name
        assert played(seed).facts["name"] == temper_of(seed).typed_name


def test_a_clumsy_player_takes_longer_than_a_skilled_one(rom: bytes):
    def steps(skill: float) -> list[int]:
        taken = []
        for seed in range(3):
            with Emulator(rom) as emulator:
                taken.append(play_by_steps(Hands(emulator), ScriptedAgent(seed, skill=skill), 1500))
        return taken

    assert np.median(steps(1.0)) < np.median(steps(0.1))


def test_one_button_a_step_finishes_too(rom: bytes):
    with Emulator(rom) as emulator:
        hands = Hands(emulator)
        steps = play_by_steps(hands, ScriptedAgent(1, skill=1.0), 1000)
        assert steps < 1000
        assert hands.look().events & Event.ENDING
        assert len(hands.held) == 30 * steps


def test_the_lost_player_gets_lost_and_never_finishes(rom: bytes):
    for seed, where in ((0, MapId.GROVE), (1, MapId.PIT)):
        run = play(rom, seed, "lost", max_frames=30 * 350)
        assert not run.finished
        assert run.milestones[-1][0] == "left_town"
        with Emulator(rom) as emulator:
            Replay(emulator, run.held).advance(run.frames)
            assert read_state(emulator.memory(STATE_ADDRESS, STATE_BYTES)).map == where


def test_the_random_player_presses_one_button_for_8_of_30_frames(rom: bytes):
    run = play(rom, 0, "random", max_frames=300)
    assert run.frames == 300
    down = run.held.reshape(10, 30) != 0
    assert (down == (np.arange(30) < 8)).all()


def test_plays_survive_the_disk_and_are_played_once(played: Play, rom: bytes, tmp_path: Path):
    run = played(0)
    playthroughs.save(run, tmp_path / "run.npz")
    again = playthroughs.load(tmp_path / "run.npz")
    assert np.array_equal(again.held, run.held)
    assert (again.milestones, again.facts, again.finished) == (run.milestones, run.facts, run.finished)

    first = cached_play(rom, 0, tmp_path)
    (file,) = [p for p in tmp_path.iterdir() if p.name.startswith("scripted-0")]
    before = file.stat().st_mtime_ns
    assert np.array_equal(cached_play(rom, 0, tmp_path).held, first.held)
    assert file.stat().st_mtime_ns == before
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(cached_play(rom, 0, tmp_path).held, first.held), "a damaged cache is played anew"


def test_an_unknown_player_is_refused(rom: bytes):
    with pytest.raises(ValueError, match="found the player 'nobody', expected one of scripted, random, lost"):
        play(rom, 0, "nobody")
