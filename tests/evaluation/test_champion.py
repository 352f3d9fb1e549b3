"""Who takes the title and who does not, whatever database is lost."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from judged_policies import GAME, Contest

from emurl_core.artifacts import Artifact, ArtifactError, Input
from emurl_core.evaluation.champion import consider, set_by_hand
from emurl_core.evaluation.champion_book import ChampionBook, Reign


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    return Contest(tmp_path / "home")


def test_the_first_champion_has_to_beat_random_play(contest: Contest) -> None:
    poor = contest.judge(contest.policy("poor", 0.2))
    assert (poor.moved, poor.champion, contest.champion) == (False, None, None)
    good = contest.judge(contest.policy("good", 0.4))
    assert good.moved
    assert good.reigns
    assert contest.champion == "policy@good"
    assert good.margin is not None
    assert good.margin.low > 0.1


def test_the_title_moves_only_when_the_interval_of_the_difference_is_above_zero(contest: Contest) -> None:
    contest.judge(contest.policy("first", 0.4))
    alike = contest.judge(contest.policy("alike", 0.405))
    assert alike.margin is not None
    assert alike.margin.low < 0 < alike.margin.high
    assert not alike.moved
    worse = contest.judge(contest.policy("worse", 0.3))
    assert worse.margin is not None
    assert worse.margin.high < 0
    assert contest.champion == "policy@first", "both beat random play, and that is not enough"
    better = contest.judge(contest.policy("better", 0.5))
    assert better.moved
    assert contest.champion == "policy@better"
    reigns = contest.book.reigns(GAME["rom_sha1"])
    assert [r.policy for r in reigns] == ["policy@first", "policy@better"]
    assert "beside the champion policy@first" in reigns[1].reason
    assert reigns[1].evaluation == "evaluation@better-s"


def test_the_champion_evaluated_again_stays_what_it_is(contest: Contest) -> None:
    first = contest.policy("first", 0.4)
    contest.judge(first)
    again = contest.judge(first)
    assert again.reigns
    assert not again.moved
    assert len(contest.book.reigns(GAME["rom_sha1"])) == 1


def test_whom_a_sentinel_stopped_or_who_stands_on_a_failed_gate_never_takes_it(contest: Contest) -> None:
    stopped = contest.judge(contest.policy("stopped", 0.9, stopped={"sentinel": "trap", "reason": "a wall"}))
    gateless = contest.judge(contest.policy("gateless", 0.9, gate_passed=False))
    assert contest.champion is None
    assert "sentinel 'trap'" in stopped.reason
    assert "reward_model@rFalse" in gateless.reason


def test_only_what_was_measured_alike_is_compared(contest: Contest) -> None:
    contest.judge(contest.policy("first", 0.5))
    newcomer = contest.policy("second", 0.4)
    verdict = contest.judge(newcomer, "easy")
    assert not verdict.moved, "0.7 under easy settings is less than the champion's 0.8 there"
    assert verdict.margin is not None
    assert verdict.margin.high < 0
    assert contest.store.get("evaluation").facts["policy"] == newcomer.id, (
        "the newest one stays the current one"
    )
    played = contest.played
    contest.judge(newcomer, "easy")
    assert contest.played == played, "nobody plays twice under the same settings"


def test_each_game_has_its_own_champion(contest: Contest) -> None:
    contest.judge(contest.policy("here", 0.5))
    other = {"game": "rom", "rom_sha1": "cd" * 20}
    there = contest.judge(contest.policy("there", 0.3, game=other))
    assert there.moved
    assert contest.champion == "policy@here"
    assert {g["rom_sha1"] for g in contest.book.games()} == {GAME["rom_sha1"], other["rom_sha1"]}


def test_where_no_truth_is_known_only_policies_of_one_reward_model_are_compared(contest: Contest) -> None:
    assert contest.judge(contest.policy("first", 0.4), truth=False).moved
    assert contest.judge(contest.policy("second", 0.6), truth=False).moved
    third = contest.policy("third", 0.9)
    with contest.store.draft("reward_model", "other", config={}, code_version="1") as draft:
        draft.facts["gate_passed"] = True
    inputs = [Input("reward_model", contest.store.get("reward_model", "other"))]
    with contest.store.draft("policy", "fourth", config={}, code_version="1", inputs=inputs) as draft:
        draft.facts |= dict(third.facts)
    contest.far["fourth"] = 0.9
    verdict = contest.judge(contest.store.get("policy", "fourth"), truth=False)
    assert not verdict.moved
    assert "reward models" in verdict.reason


def test_a_champion_that_is_gone_leaves_the_title_to_who_beats_random_play(contest: Contest) -> None:
    first = contest.policy("first", 0.9)
    contest.judge(first)
    shutil.rmtree(first.path)
    assert not contest.judge(contest.policy("poor", 0.2)).moved
    verdict = contest.judge(contest.policy("fair", 0.4))
    assert verdict.moved
    assert "policy@first is gone" in verdict.reason


def test_a_champion_that_cannot_be_played_now_keeps_the_title(contest: Contest) -> None:
    contest.judge(contest.policy("first", 0.4))
    made = contest.evaluate(contest.policy("better", 0.6))

    def broken(_: Artifact) -> Artifact:
        raise ArtifactError("does not fit this code")

    verdict = consider(made, contest.store, broken)
    assert not verdict.moved
    assert "does not fit this code" in verdict.reason
    assert "emurl champion --set" in verdict.reason


def test_a_person_may_decide_with_a_reason_that_is_kept(contest: Contest) -> None:
    contest.judge(contest.policy("first", 0.6))
    second = contest.policy("second", 0.3)
    with pytest.raises(ValueError, match="--reason"):
        set_by_hand(second, contest.store, " ")
    set_by_hand(second, contest.store, "it plays more nicely")
    reign = contest.book.champion(GAME["rom_sha1"])
    assert reign is not None
    assert (reign.policy, reign.by, reign.reason) == ("policy@second", "hand", "it plays more nicely")
    assert contest.judge(contest.policy("third", 0.4)).moved, (
        "it has to beat the one that reigns, not the one before"
    )


def test_of_several_at_once_the_last_word_is_the_best_ones(contest: Contest) -> None:
    evaluations = [contest.evaluate(contest.policy(f"p{i}", 0.3 + 0.1 * i)) for i in range(6)]
    start = threading.Barrier(len(evaluations))

    def enter(made: Artifact) -> None:
        start.wait()
        consider(made, contest.store, contest.evaluate)

    threads = [threading.Thread(target=enter, args=[made]) for made in evaluations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contest.champion == "policy@p5"
    reigns = [r.policy for r in contest.book.reigns(GAME["rom_sha1"])]
    assert reigns == sorted(reigns), "nobody took it from a better one"


def test_a_book_that_changed_meanwhile_is_not_overwritten(contest: Contest) -> None:
    mine, theirs = (Reign(f"policy@{n}", None, "hand", "because", "2026-01-01") for n in ("mine", "theirs"))
    assert contest.book.crown(GAME, theirs, instead_of=None)
    assert not contest.book.crown(GAME, mine, instead_of=None)
    assert contest.champion == "policy@theirs"


def test_a_full_disk_leaves_the_book_as_it_was(contest: Contest, small_disk: Path) -> None:
    book = ChampionBook(small_disk)
    first = Reign("policy@first", None, "hand", "because", "2026-01-01")
    assert book.crown(GAME, first, instead_of=None)
    (small_disk / "ballast").write_bytes(bytes(1))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(4_000_000))
    with pytest.raises(OSError, match="No space"):
        book.crown(GAME, Reign("policy@second", None, "hand", "x" * 10_000, "2026-01-02"), instead_of=first)
    assert book.champion(GAME["rom_sha1"]) == first
    assert {p.name for p in book.folder.iterdir()} == {".lock", f"{GAME['rom_sha1']}.json"}, (
        "no half-written file stays"
    )


def test_a_damaged_book_is_said_and_not_taken_for_an_empty_one(contest: Contest) -> None:
    contest.judge(contest.policy("first", 0.4))
    (contest.book.folder / f"{GAME['rom_sha1']}.json").write_text(json.dumps({"game": "embedded"}))
    with pytest.raises(ArtifactError, match=r"cannot read the book of champions.*emurl champion --set"):
        contest.judge(contest.policy("second", 0.3))
