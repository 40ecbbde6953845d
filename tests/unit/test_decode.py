"""The decoder: what it takes, what it never does, and that reduced JPEGs do not change descriptors."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage
from corpus import make
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model import decode, load_encoder
from model.decode import Decoded, DecodeError, decode_image, to_rgb
from model.extras import how_to_install

PHOTOS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "camera.png", "text.png", "grass.png")
TARGET = 160
LEAST = 3 * TARGET


def photo(name: str, side: int, orientation: int = 1) -> bytes:
    """Return a real photograph, enlarged to a longer side of *side* pixels, as a JPEG that lies as EXIF says."""
    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        scale = side / max(image.size)
        large = image.convert("RGB").resize([round(s * scale) for s in image.size], Image.Resampling.BICUBIC)
    turned = large.transpose(make.TURNS[orientation]) if orientation > 1 else large
    return make.saved(turned, "JPEG", quality=88, subsampling=-1, exif=make.exif(orientation))


def reduced(image: Decoded) -> npt.NDArray[np.float64]:
    """Return the picture as the encoder sees it: squashed to its input's size."""
    small = Image.fromarray(image.pixels).resize((TARGET, TARGET), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.float64)


@pytest.mark.parametrize(("name", "orientation"), [*((name, 1) for name in PHOTOS), ("coffee.png", 6)])
def test_reduced_jpegs_look_the_same_to_the_encoder(name: str, orientation: int) -> None:
    """A JPEG that is decoded at a fraction of its size differs by 1.5 levels of 255 at most (root mean square)."""
    data = photo(name, 2600, orientation)
    full, draft = decode_image(data), decode_image(data, least_px=LEAST)
    assert min(draft.pixels.shape[:2]) >= LEAST
    assert draft.pixels.size < full.pixels.size / 3.9
    assert (draft.width, draft.height) == (full.width, full.height) == full.pixels.shape[1::-1]
    assert np.sqrt(np.mean((reduced(full) - reduced(draft)) ** 2)) < 1.5


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("side", [420, 700, 2600])
def test_reduced_jpegs_keep_their_descriptors(name: str, side: int) -> None:
    """The descriptor of a reduced JPEG lies within a quarter of the radius of that of the whole."""
    encoder = load_encoder(device="cpu")
    data = photo(name, side)
    full, draft = encoder.embed([decode_image(data, least_px=least).pixels for least in (None, encoder.spec.least_px)])
    assert np.linalg.norm(full - draft) < encoder.spec.radius / 4


@pytest.mark.parametrize("size", [(961, 4000), (4000, 961), (959, 959), (480, 480), (100, 9000), (1, 1)])
def test_reduction_keeps_both_sides_long_enough(size: tuple[int, int]) -> None:
    """Both sides stay at least as long as is asked for, or as long as they were."""
    image = decode_image(make.saved(Image.new("RGB", size), "JPEG"), least_px=LEAST)
    assert (image.width, image.height) == size
    assert min(image.pixels.shape[:2]) >= min(LEAST, *size)


def test_bytes_paths_and_files_are_taken(tmp_path: Path) -> None:
    """Bytes, a path as text or object, and an open file all give the same picture."""
    data = make.plain_jpeg()
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with path.open("rb") as file:
        images = [decode_image(source) for source in (data, path, str(path), file, io.BytesIO(data))]
    assert all(np.array_equal(image.pixels, images[0].pixels) for image in images)


def test_a_missing_path_is_the_systems_error(tmp_path: Path) -> None:
    """A path that does not exist is no image's fault."""
    with pytest.raises(FileNotFoundError):
        decode_image(tmp_path / "none.jpg")


def test_the_pixel_limit_is_the_callers() -> None:
    """An image of exactly so many pixels is taken, one more is too many, and Pillow's global limit stays."""
    data = make.plain_jpeg()
    before = Image.MAX_IMAGE_PIXELS
    assert decode_image(data, max_pixels=64 * 48).width == 64
    with pytest.raises(DecodeError, match=r"64 x 48 pixels, more than the limit of 3,071; .* \(--max-pixels"):
        decode_image(data, max_pixels=64 * 48 - 1)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa"])
@pytest.mark.parametrize("clear", [None, 3])
def test_large_images_are_converted_in_bands(mode: str, clear: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixels are those that the whole image has at once, of every mode, with a transparent colour and without."""
    values = np.random.default_rng(0).integers(0, 256, (40, 30, len(Image.new(mode, (1, 1)).getbands())), np.uint8)
    image = Image.frombytes(mode, (30, 40), values.tobytes()[: 160 if mode == "1" else None])
    if clear is not None and mode in ("1", "L", "P", "RGB"):
        image.info["transparency"] = clear if mode != "RGB" else tuple(values[1, 2].tolist())
    at_once = to_rgb(image)
    monkeypatch.setattr(decode, "AT_ONCE", 100)
    np.testing.assert_array_equal(to_rgb(image), at_once)
    assert not to_rgb(image).flags.writeable


def test_images_above_pillows_own_limit_are_taken_silently() -> None:
    """Ninety million pixels, at which Pillow warns, are decoded without a word."""
    data = make.saved(Image.new("L", (9_500, 9_500)), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_image(data, least_px=LEAST).width == 9_500


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_open_pillow_images_of_every_mode_become_rgb(mode: str) -> None:
    """An opaque picture in any of Pillow's modes keeps its colours, or its greys."""
    image = (
        make.flag("LA").convert("La") if mode == "La" else make.flag("RGBA" if mode == "RGBa" else "RGB").convert(mode)
    )
    expected = np.asarray(make.flag("L" if mode in ("1", "L", "LA", "La") else "RGB").convert("RGB"))
    pixels = to_rgb(image)
    assert pixels.dtype == np.uint8
    means = np.abs(pixels.mean((0, 1)) - expected.mean((0, 1)))
    assert means.max() <= (10 if mode == "1" else 4)


def test_an_open_image_is_turned_upright_as_a_file_is() -> None:
    """A Pillow image that still carries its EXIF gives what its file gives."""
    data = make.saved(make.lying(6), "JPEG", exif=make.exif(6))
    assert np.array_equal(to_rgb(Image.open(io.BytesIO(data))), decode_image(data).pixels)


def test_an_open_image_that_is_damaged_is_a_decode_error() -> None:
    """A Pillow image whose file is cut short is refused as the file is."""
    with pytest.raises(DecodeError) as caught:
        to_rgb(Image.open(io.BytesIO(make.cut_jpeg())))
    assert caught.value.kind == "truncated"


def test_threads_do_not_disturb_each_other() -> None:
    """Sixteen threads decode good, odd and bad files at once, and each gets its own, while warnings are errors."""
    files = [case.make() for case in make.CASES if "bomb" not in case.name]

    def outcome(data: bytes) -> object:
        try:
            return decode_image(data).pixels.tobytes()
        except DecodeError as error:
            return str(error)

    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(outcome, files * 3)) == alone * 3


MUTABLE = [case.make() for case in make.CASES if case.kind == "ok" and len(case.make()) < 20_000]


@given(
    st.sampled_from(MUTABLE), st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=12), st.data()
)
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_raise_nothing_else(data: bytes, changes: list[tuple[int, int]], more: st.DataObject) -> None:
    """Whatever bytes are changed in or cut from a file, it is decoded or refused in our words."""
    mutant = bytearray(data)
    for at, value in changes:
        mutant[at % len(mutant)] = value
    del mutant[more.draw(st.integers(0, len(mutant))) :]
    with contextlib.suppress(DecodeError):
        assert decode_image(bytes(mutant), max_pixels=1_000_000).pixels.dtype == np.uint8


def run(code: str) -> str:
    """Return what *code* prints in a new interpreter."""
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


def test_a_missing_decoder_names_its_extra() -> None:
    """Without the extra a HEIC is refused, and the reason says what to install."""
    code = (
        "import sys; from corpus import make; data = make.plain_heic(); sys.modules['pillow_heif'] = None\n"
        "from model.decode import decode_image\n"
        "try: decode_image(data)\n"
        "except Exception as error: print(error.kind, error)"
    )
    told = run(code)
    assert told.startswith("unsupported-format Its format is HEIF")
    assert how_to_install("formats") in told


def test_importing_the_decoder_loads_no_plugins() -> None:
    """The plugins of formats, HEIF's above all, are loaded when such a file comes."""
    code = "import sys, model.decode; print({'pillow_heif', 'PIL.PngImagePlugin', 'torch'} & set(sys.modules))"
    assert run(code) == "set()\n"
