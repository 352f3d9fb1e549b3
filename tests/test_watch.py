"""Watching a policy: a real tiny one, on the real game, over real HTTP, and in a real browser."""

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from policy_inputs import GAME, make_inputs

from emurl_core.artifacts import Artifact, ArtifactError, ArtifactStore
from emurl_core.game import GameConfig, VectorGame, open_game
from emurl_core.game.embedded import ROM_PATH
from emurl_core.game.seeding import draw_idle_frames
from emurl_core.policy import Policy, PolicyConfig, load_policy, train_policy
from emurl_core.policy.memory import NO_BUTTON
from emurl_core.runtime import RuntimeConfig
from emurl_core.screen import STEP_FRAMES, Button, unpack_shades
from emurl_core.stage import StageContext
from emurl_core.watching import Board, Controls, Playing, WatchConfig, WatchServer, watch
from emurl_core.watching.server import TOKEN_HEADER

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
POLICY = PolicyConfig(
    iterations=1, envs=2, workers=0, rollout_steps=16, episode_steps=20, minibatch_size=16, frame_stack=2,
    cached_frames=64, ood=False,
)  # fmt: skip
QUICK = 16.0


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    # One home for all stages that need these models, so that they are trained once.
    home = tmp_path_factory.getbasetemp() / "policy_inputs"
    return StageContext(ArtifactStore(home), runtime=RuntimeConfig(device="cpu", threads=1))


@pytest.fixture(scope="session")
def policy(shared: StageContext) -> Artifact:
    return train_policy(*make_inputs(shared).models, POLICY, GAME, shared)


@pytest.fixture(scope="session")
def trained(policy: Artifact, shared: StageContext) -> Policy:
    return load_policy(policy, shared.store)


class Room:
    """A policy that plays, its server, and one who looks at it as the page does."""

    def __init__(self, trained: Policy, speed: float, episode_steps: int = 0) -> None:
        self.controls, self.board = Controls(speed), Board()
        self.server = WatchServer(("127.0.0.1", 0), self.controls, self.board)
        self.playing = Playing(
            trained,
            open_game(GAME),
            self.controls,
            self.board,
            episode_steps=episode_steps,
            named="policy@test",
        )
        self.port = self.server.server_address[1]
        self.threads = [threading.Thread(target=f) for f in (self.server.serve_forever, self.playing.run)]
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        self.playing.end()
        self.server.shutdown()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        self.server.server_close()
        self.playing.close()

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, content, answer.headers

    def order(self, do: str, **more: Any) -> None:
        status, content, _ = self.ask(
            "POST", "/order", json.dumps({"do": do, **more}), **{TOKEN_HEADER: self.server.token}
        )
        assert status == 200, content


class Viewer:
    """An open page: reads the stream."""

    def __init__(self, room: Room) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", room.port, timeout=20)
        self._connection.request("GET", "/stream")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        ends = time.monotonic() + 20
        for message in self:
            if wanted(message):
                return message
            assert time.monotonic() < ends, f"never came; last was {message}"
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


@pytest.fixture
def make_room(trained: Policy) -> Iterator[Callable[..., Room]]:
    rooms: list[Room] = []

    def make(speed: float = QUICK, **more: Any) -> Room:
        rooms.append(Room(trained, speed, **more))
        return rooms[-1]

    yield make
    for room in rooms:
        room.close()


def comes_true(page: Any, what: str) -> None:
    """Asked from here: the page's own rules forbid it to evaluate text, which Playwright's waiting would have it do."""
    ends = time.monotonic() + 30
    while not page.evaluate(what):
        assert time.monotonic() < ends, f"never came true: {what}"
        page.wait_for_timeout(50)


def picture(message: dict[str, Any]) -> np.ndarray:
    packed = np.frombuffer(base64.b64decode(message["picture"]), np.uint8)
    return unpack_shades(packed)


@pytest.mark.parametrize(("speed", "steps"), [(4.0, 8), (QUICK, 80)])
def test_what_is_watched_is_the_episode_that_an_evaluation_plays(
    make_room, trained: Policy, speed, steps
) -> None:
    room = make_room(speed)
    room.order("pause")
    viewer = Viewer(room)
    seen = [viewer.until(lambda m: m["paused"])]
    for step in range(1, steps + 1):
        room.order("step")
        seen.append(viewer.until(lambda m, step=step: m["step"] == step))
    viewer.close()
    seed = int(np.random.default_rng((0, 1)).integers(2**32, size=5)[0])
    assert seen[0]["seed"] == seed
    agent = trained.agent([seed])
    with VectorGame(GAME, 1) as game:
        frames = game.reset(seeds=[seed])
        for message in seen:
            action = agent.act(frames)
            np.testing.assert_array_equal(picture(message), frames[0])
            assert message["chosen"] == action[0]
            assert message["progress"] == pytest.approx(float(agent.progress[0]), abs=1e-6)
            assert message["value"] == pytest.approx(float(agent.values[0]), abs=1e-6)
            np.testing.assert_allclose(message["probabilities"], agent.probabilities[0], atol=1e-4)
            frames = game.step(action)
    # The title stands still whatever the seed; the clock tells whether its idle frames were waited.
    idle = draw_idle_frames(np.random.default_rng(seed))
    assert room.playing._emulator.frames == idle + steps * STEP_FRAMES
    assert sum(seen[-1]["probabilities"]) == pytest.approx(1.0, abs=1e-3)
    assert seen[-1]["probabilities"][Button.SELECT] == 0.0
    assert not seen[-1]["allowed"][Button.SELECT]


def test_a_late_viewer_gets_the_whole_curve_and_every_point_once(make_room) -> None:
    room = make_room()
    first = Viewer(room)
    first.until(lambda m: m["step"] >= 6)
    late = Viewer(room)
    curve: list[float] = []
    for message in late:
        assert message["curve"]["start"] == len(curve)
        curve += message["curve"]["values"]
        assert len(curve) == message["step"] + 1
        assert curve[-1] == pytest.approx(message["progress"], abs=1e-4)
        if message["step"] >= 14:
            break
    first.close()
    late.close()


def test_a_pause_stops_the_game_and_a_single_step_is_one_step(make_room) -> None:
    room = make_room()
    viewer = Viewer(room)
    viewer.until(lambda m: m["step"] >= 2)
    room.order("pause")
    viewer.until(lambda m: m["paused"])
    time.sleep(0.3)
    frames = room.playing._emulator.frames
    time.sleep(1.0)
    assert room.playing._emulator.frames == frames
    before = room.playing._step_no
    room.order("step")
    viewer.until(lambda m: m["step"] == before + 1)
    time.sleep(0.5)
    assert room.playing._step_no == before + 1
    room.order("pause", on=False)
    viewer.until(lambda m: m["step"] > before + 3 and not m["paused"])
    viewer.close()


def test_nothing_is_played_while_no_page_is_open(make_room) -> None:
    room = make_room()
    time.sleep(0.6)
    assert room.playing._step_no == 0
    viewer = Viewer(room)
    viewer.until(lambda m: m["step"] >= 2)
    viewer.close()
    ends = time.monotonic() + 15
    while room.controls.viewers and time.monotonic() < ends:
        time.sleep(0.05)
    assert not room.controls.viewers
    time.sleep(0.3)
    frames = room.playing._emulator.frames
    time.sleep(0.6)
    assert room.playing._emulator.frames == frames


def test_real_time_is_not_exceeded(make_room) -> None:
    room = make_room(2.0)
    viewer = Viewer(room)
    viewer.until(lambda m: m["step"] >= 1)
    began, start = time.monotonic(), room.playing._step_no
    viewer.until(lambda m: m["step"] >= start + 8)
    # Eight steps of half a second at double speed take two seconds; the first of them had begun.
    assert time.monotonic() - began > 1.6
    viewer.close()


def test_who_takes_over_presses_and_the_policy_is_told(make_room, monkeypatch) -> None:
    room = make_room(4.0)
    told: list[int] = []
    pressed = room.playing._agent.pressed
    monkeypatch.setattr(room.playing._agent, "pressed", lambda a: (told.append(int(a[0])), pressed(a)))
    viewer = Viewer(room)
    room.order("press", button="down")
    viewer.until(lambda m: m["step"] >= 2)
    assert not told, "a press while the policy plays is dropped"
    room.order("take_over")
    viewer.until(lambda m: m["taken_over"] and not m["pressed"])
    room.order("press", button="start")
    viewer.until(lambda m: m["pressed"] == [Button.START])
    viewer.until(lambda m: Button.START in told)
    room.order("release", button="start")
    viewer.until(lambda m: m["taken_over"] and not m["pressed"])
    viewer.until(lambda m: told[-1] == NO_BUTTON)
    room.order("take_over", on=False)
    back = viewer.until(lambda m: not m["taken_over"])
    count = len(told)
    viewer.until(lambda m: m["step"] >= back["step"] + 3)
    assert len(told) <= count + 1
    viewer.close()


def test_a_tap_between_two_pictures_moves_the_player(make_room) -> None:
    room = make_room()
    room.order("pause")
    viewer = Viewer(room)
    title = viewer.until(lambda m: m["paused"])
    room.order("take_over")
    reached = title
    for _ in range(40):
        room.order("press", button="a")
        room.order("release", button="a")
        step = reached["step"]
        room.order("step")
        reached = viewer.until(lambda m, step=step: m["step"] > step)
        if reached["milestones"][0][1] is not None:
            break
    # Only real presses leave the title, and the policy's own were not played.
    assert reached["milestones"][0][1] == reached["step"]
    viewer.close()


def test_restart_begins_the_next_seed_and_greedy_presses_the_likeliest(make_room) -> None:
    room = make_room()
    viewer = Viewer(room)
    viewer.until(lambda m: m["step"] >= 2)
    room.order("greedy")
    room.order("restart")
    message = viewer.until(lambda m: m["episode"] == 2)
    seeds = np.random.default_rng((0, 1)).integers(2**32, size=2).tolist()
    assert message["seed"] == seeds[1]
    assert message["curve"]["start"] == 0
    for step in range(1, 8):
        message = viewer.until(lambda m, step=step: m["step"] >= step)
        assert message["greedy"]
        assert message["chosen"] == int(np.argmax(message["probabilities"]))
    viewer.close()


def test_an_episode_ends_after_its_steps(make_room) -> None:
    room = make_room(episode_steps=3)
    viewer = Viewer(room)
    steps = []
    for message in viewer:
        if message["episode"] > 2:
            break
        steps.append(message["step"])
    assert max(steps) == 3
    viewer.close()


def test_orders_from_elsewhere_are_refused(make_room) -> None:
    room = make_room()
    token, body = room.server.token, '{"do": "pause"}'
    own = f"127.0.0.1:{room.port}"
    refused = [
        {},
        {TOKEN_HEADER: "guessed"},
        {TOKEN_HEADER: token, "Origin": "http://evil.example"},
        {TOKEN_HEADER: token, "Origin": "null"},
        {TOKEN_HEADER: token, "Host": f"evil.example:{room.port}"},
    ]
    for headers in refused:
        assert room.ask("POST", "/order", body, **headers)[0] == 403, headers
        assert not room.controls.paused
    # A name that somebody made point here must not get the page, the token stands in it.
    for path in ("/", "/stream"):
        status, content, _ = room.ask("GET", path, Host=f"evil.example:{room.port}")
        assert status == 403
        assert token not in content
    status, page, headers = room.ask("GET", "/", Origin="http://evil.example")
    assert status == 200
    assert token in page
    assert "Access-Control-Allow-Origin" not in headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert room.ask("OPTIONS", "/order")[0] == 501
    assert room.ask("POST", "/order", body, Origin=f"http://{own}", **{TOKEN_HEADER: token})[0] == 200
    assert room.controls.paused


@pytest.fixture
def quiet_server() -> Iterator[WatchServer]:
    server = WatchServer(("127.0.0.1", 0), Controls(), Board())
    server.board.show(np.zeros((144, 160), np.uint8), {})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_stream_is_shown_to_our_own_page_only(quiet_server: WatchServer) -> None:
    port = quiet_server.server_address[1]
    foreign = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    ours: list[dict[str, str]] = [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
    ]
    for headers, expected in [*((h, 403) for h in foreign), *((h, 200) for h in ours)]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/stream", headers=headers)
        assert connection.getresponse().status == expected, headers
        connection.close()


def test_who_orders_is_told_that_the_connection_ends(quiet_server: WatchServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", quiet_server.server_address[1], timeout=20)
    for do in ("faster", "slower"):
        connection.request("POST", "/order", json.dumps({"do": do}), {TOKEN_HEADER: quiet_server.token})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Connection") == "close"
        answer.read()
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("Connection") is None, "a page may be asked for again on the same one"
    connection.close()


@pytest.mark.parametrize(
    "body",
    ["", "[]", '{"do": "format"}', '{"do": "press"}', '{"do": "press", "button": "turbo"}', "x" * 2000],
)
def test_what_is_no_order_changes_nothing_and_is_explained(make_room, body: str) -> None:
    room = make_room()
    status, content, _ = room.ask("POST", "/order", body, **{TOKEN_HEADER: room.server.token})
    assert status == 400
    assert "found" in json.loads(content)["error"]
    assert room.ask("GET", "/nothing")[0] == 404


def test_another_rom_is_refused(policy: Artifact, shared: StageContext, tmp_path) -> None:
    rom = bytearray(ROM_PATH.read_bytes())
    rom[-1] ^= 1
    other = tmp_path / "other.gb"
    other.write_bytes(rom)
    with pytest.raises(ArtifactError, match="trained on another game"):
        watch(policy, WatchConfig(port=0), GameConfig(game="rom", rom=str(other)), shared)


def test_a_taken_port_is_explained(make_room) -> None:
    room = make_room()
    with pytest.raises(OSError, match="set port=0"):
        WatchServer(("127.0.0.1", room.port), Controls(), Board())


def test_the_command_serves_in_a_browser_and_ctrl_c_ends_it(
    policy: Artifact, shared: StageContext, tmp_path
) -> None:
    if CHROMIUM is None:
        pytest.skip(
            "looking at the page needs a browser: found no `chromium` on the path; install Debian's package"
        )
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "emurl_core.cli", "--home", str(shared.store.home), "watch"]
    command += ["--port", "0", "--version", policy.version[:6], "--runtime.device", "cpu"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert policy.id in line
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            page.set_default_timeout(30_000)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
            page.goto(address)
            comes_true(page, "now && now.step >= 2")
            drawn = "new Set(screen.getImageData(0, 0, 160, 144).data.filter((_, i) => i % 4 === 0)).size"
            assert page.evaluate(drawn) >= 2, "the screen is empty"
            assert page.locator(".bar").count() == len(Button)
            assert "%" in page.locator("#progress").inner_text()
            assert policy.id in page.locator("#policy").inner_text()
            page.keyboard.press("t")
            comes_true(page, "now.taken_over")
            page.keyboard.down("ArrowLeft")
            comes_true(page, "now.pressed.includes(2)")
            page.keyboard.up("ArrowLeft")
            comes_true(page, "!now.pressed.includes(2)")
            page.keyboard.press(" ")
            page.locator("#paused").wait_for()
            page.wait_for_timeout(300)
            step = page.evaluate("now.step")
            page.keyboard.press("+")
            comes_true(page, "now.speed === 2")
            page.keyboard.press(".")
            comes_true(page, f"now.step === {step + 1}")
            page.wait_for_timeout(700)
            assert page.evaluate("now.step") == step + 1
            page.keyboard.press("r")
            comes_true(page, "now.episode === 2 && now.step === 0 && curve.length === 1")
            page.screenshot(path=tmp_path / "watch.png")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            page.locator("#gone").wait_for()
            # What the ended server left behind is the connection itself, which the page says.
            assert not [p for p in problems if "ERR_" not in p], problems
            browser.close()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
