"""Which layouts a set of synthetic videos is drawn from, and the drawing of one by its seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emurl_core.synthetic.families import TUNING, UNSEEN, Family
from emurl_core.synthetic.layout import Broadcast, Canvas
from emurl_core.synthetic.randomness import stream

SMALL, WIDE, TALL = Canvas(640, 360, 30), Canvas(854, 480, 30), Canvas(960, 540, 30)
HD, HD60, FULL_HD = Canvas(1280, 720, 30), Canvas(1280, 720, 60), Canvas(1920, 1080, 30)


@dataclass(frozen=True)
class LayoutSet:
    """What may be drawn.

    Attributes:
        canvases: taken in turn by the seed, so that a set of runs holds each in its share.
        preset: x264's; `ultrafast` halves the recording time, `veryfast` has B-frames as real uploads do.
        change_share: share of videos whose layout changes on the way.
    """

    families: Mapping[str, Family]
    canvases: tuple[Canvas, ...]
    preset: str = "veryfast"
    crf: tuple[int, int] = (18, 27)
    card_s: tuple[float, float] = (2.0, 6.0)
    change_share: float = 0.35


_MIXED_CANVASES = (SMALL, HD, WIDE, HD60, TALL, HD, WIDE, FULL_HD)
LAYOUT_SETS: Mapping[str, LayoutSet] = MappingProxyType(
    {
        "demo": LayoutSet(
            TUNING,
            (SMALL, WIDE, SMALL, SMALL, WIDE, SMALL, SMALL, HD60, SMALL, WIDE, SMALL, SMALL),
            preset="ultrafast",
            crf=(20, 25),
            card_s=(2.0, 4.0),
            change_share=0.25,
        ),
        "tiny": LayoutSet(
            TUNING, (SMALL,), preset="ultrafast", crf=(18, 23), card_s=(1.0, 2.0), change_share=0.0
        ),
        "tuning": LayoutSet(TUNING, _MIXED_CANVASES),
        "unseen": LayoutSet(UNSEEN, _MIXED_CANVASES),
        "mixed": LayoutSet({**TUNING, **UNSEEN}, _MIXED_CANVASES),
    }
)


def layout_set(name: str) -> LayoutSet:
    """The set of that name; ValueError lists the names there are."""
    if name not in LAYOUT_SETS:
        raise ValueError(
            f"found the layout set {name!r}, expected one of {', '.join(LAYOUT_SETS)}; choose one of these"
        )
    return LAYOUT_SETS[name]


def sample_broadcast(seed: int, set_name: str) -> Broadcast:
    """The plan of the video with that seed: the same for the same arguments, whatever is recorded into it."""
    chosen = layout_set(set_name)
    rng = stream(seed, f"broadcast {set_name}")
    canvas = chosen.canvases[seed % len(chosen.canvases)]
    families = list(chosen.families.values())
    changes = (round(float(rng.uniform(0.25, 0.75)), 4),) if rng.random() < chosen.change_share else ()
    return Broadcast(
        canvas=canvas,
        # Cards last a whole number of video frames.
        card_before_s=round(float(rng.uniform(*chosen.card_s)) * canvas.fps) / canvas.fps,
        card_after_s=round(float(rng.uniform(*chosen.card_s)) * canvas.fps) / canvas.fps,
        scenes=tuple(families[rng.integers(len(families))](rng, canvas) for _ in range(len(changes) + 1)),
        changes=changes,
        transition_s=1.0 if changes and rng.random() < 0.5 else 0.0,
        preset=chosen.preset,
        crf=int(rng.integers(chosen.crf[0], chosen.crf[1] + 1)),
    )
