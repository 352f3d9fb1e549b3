import numpy as np
import pytest
from tile_world import TileWorld

from emurl_core.frames.palette import Palette, fit_palette, split_lumas
from emurl_core.frames.resample import KERNELS, Kernel, inverse, upsampling


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1.5, 1.83, 2.0, 3.37])
def test_scaling_is_undone_exactly(kernel: Kernel, scale: float) -> None:
    line = np.random.default_rng(0).choice([0.0, 85.0, 153.0, 255.0], 160).astype(np.float32)
    up = upsampling(kernel, 7.3, scale, 160, 0, int(7.3 + 160 * scale) + 12)
    assert np.abs(inverse(up) @ (up @ line) - line).max() < 12


def test_pixels_beside_the_screen_count_for_nothing() -> None:
    up = upsampling("linear", 10.0, 2.0, 160, 0, 400)
    assert not up[:10].any()
    assert not up[330:].any()
    assert up[10:330].sum(1) == pytest.approx(1.0)


@pytest.mark.parametrize("levels", [(230, 144, 87, 17), (152, 138, 90, 50), (226, 170, 108, 29)])
def test_four_lumas_are_told_apart_though_one_is_rare(levels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    shades = rng.choice(4, 40000, p=[0.6, 0.394, 0.005, 0.001])
    lumas = np.array(levels)[shades] + rng.normal(0, 1.5, shades.size)
    assert split_lumas(lumas) == pytest.approx(np.array(levels), abs=3)


def test_a_rare_shade_is_kept_though_a_noisy_common_one_could_be_cut_finer() -> None:
    rng = np.random.default_rng(1)
    levels = np.array([200, 150, 130, 60])
    shades = rng.choice(4, 40000, p=[0.75, 0.2, 0.049, 0.001])
    lumas = levels[shades] + rng.normal(0, 5, shades.size)
    assert split_lumas(lumas) == pytest.approx(levels, abs=3)


def coloured(sets: np.ndarray, which: np.ndarray, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a tile world whose parts wear different colours, with the noise of a video."""
    world, rng = TileWorld(5), np.random.default_rng(2)
    shades = np.stack([world.frame(30 + 61 * i) for i in range(count)])
    pictures = sets[which, shades].transpose(0, 3, 1, 2).astype(np.float32)
    noise = rng.normal(0, [[[[2.0]], [[6.0]], [[6.0]]]], pictures.shape)
    return pictures + noise.astype(np.float32), shades


TOWN = np.array([[226, 127, 128], [162, 97, 109], [106, 109, 109], [29, 130, 131]])
CAVE = np.array([[226, 127, 128], [176, 99, 156], [122, 146, 142], [29, 130, 131]])
BLUE = np.array([[226, 127, 128], [120, 130, 99], [62, 220, 108], [29, 130, 131]])


def test_several_palettes_on_one_screen_are_read_as_the_same_four_shades() -> None:
    which = np.zeros((144, 160), int)
    which[48:96], which[96:] = 1, 2
    pictures, shades = coloured(np.stack([TOWN, CAVE, BLUE]), which)
    palette = fit_palette(pictures)
    read = np.stack([palette.shades(p)[0] for p in pictures])
    assert (read == shades).mean() > 0.995


def test_one_palette_is_not_torn_into_several() -> None:
    pictures, shades = coloured(TOWN[None], np.zeros((144, 160), int))
    palette = fit_palette(pictures)
    assert len(palette.colours) == 1
    assert (np.stack([palette.shades(p[:1])[0] for p in pictures]) == shades).mean() > 0.999


def test_shades_are_ordered_from_light_to_dark() -> None:
    palette = Palette(TOWN[None].astype(np.float32))
    ramp = np.linspace(255, 0, 144 * 160).reshape(1, 144, 160).astype(np.float32)
    shades = palette.shades(ramp)[0].ravel()
    assert (np.diff(shades.astype(int)) >= 0).all()
    assert set(shades) == {0, 1, 2, 3}
