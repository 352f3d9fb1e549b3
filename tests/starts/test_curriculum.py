"""The curriculum: from the frontier back towards power-on as episodes gain, and never stuck."""

from emurl_core.starts.cells import BANDS
from emurl_core.starts.curriculum import EPISODES, PATIENCE, Curriculum

HELD = {2, 5, 9}


def play(curriculum: Curriculum, outcomes: list[bool], held: set[int] = HELD) -> int:
    """The band after episodes that began where the curriculum said."""
    for gained in outcomes:
        curriculum.ended(curriculum.band(held), gained)
    return curriculum.band(held)


def test_it_begins_at_the_frontier() -> None:
    assert Curriculum().band(HELD) == 9


def test_a_fifth_of_gaining_episodes_moves_it_back_and_past_power_on_it_begins_anew_at_the_frontier() -> None:
    enough = [True] * 2 + [False] * (EPISODES - 2)
    curriculum = Curriculum()
    assert play(curriculum, enough[:-1]) == 9, "not before all are judged"
    assert play(curriculum, enough[-1:]) == 5
    assert play(curriculum, enough) == 2
    assert play(curriculum, enough) == 9


def test_new_ground_is_begun_in_at_once_and_the_way_back_starts_there() -> None:
    enough = [True] * EPISODES
    curriculum = Curriculum()
    assert play(curriculum, enough) == 5
    curriculum.ended(5, True)
    assert curriculum.band(HELD | {12}) == 12
    assert play(curriculum, enough[1:], HELD | {12}) == 12, "it is judged by episodes of its own"
    assert play(curriculum, enough[:1], HELD | {12}) == 9
    assert play(curriculum, enough, HELD | {12}) == 5, "the frontier is no news any more"


def test_too_few_gains_keep_it_where_it_is_until_patience_ends() -> None:
    poor = [True] + [False] * (EPISODES - 1)
    curriculum = Curriculum()
    for _ in range(PATIENCE - 1):
        assert play(curriculum, poor) == 9
    assert play(curriculum, poor) == 5
    for _ in range(PATIENCE - 1):
        assert play(curriculum, poor) == 5, "each band has patience of its own"


def test_episodes_that_began_before_the_last_move_do_not_count() -> None:
    curriculum = Curriculum()
    play(curriculum, [True] * EPISODES)
    assert curriculum.band(HELD) == 5
    for _ in range(2 * EPISODES):
        curriculum.ended(9, True)
    assert curriculum.band(HELD) == 5


def test_a_band_whose_states_are_gone_is_left_for_the_nearest_below() -> None:
    curriculum = Curriculum()
    assert play(curriculum, [True] * EPISODES) == 5
    assert curriculum.band({2, 9}) == 2
    assert curriculum.band({9}) == 9


def test_its_level_is_told_in_learned_progress_and_it_goes_on_from_its_state() -> None:
    curriculum, other = Curriculum(), Curriculum()
    assert curriculum.level is None
    play(curriculum, [True] * (EPISODES - 1))
    assert curriculum.level == 9 / BANDS
    other.restore(curriculum.state())
    assert play(other, [False]) == play(curriculum, [False]) == 5
