"""The second look: copies agree everywhere, lookalikes do not, and the same thumbnails give the same look."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from model.augment import FAMILIES
from model.data import Picture
from model.grey import blurred
from model.pages import OVERALL, SHARP, overall
from model.paper import is_page
from model.receipts import invoices, receipt, receipts
from model.regions import weakest
from model.second_look import MIN_SCORE, THUMBNAIL_MAX_BYTES, Look, is_thumbnail, second_look, thumbnail
from model.specks import without_specks
from model.thumbnail import LARGE, SIDE, view

Pixels = npt.NDArray[np.uint8]


def look(new: Pixels, original: Pixels) -> Look:
    """Compare two pictures as the indexer does, by their thumbnails."""
    return second_look(thumbnail(new), thumbnail(original))


@pytest.mark.parametrize("family", ["colour", "zoom_crop", "noise", "combined", "light_gradient", "jpeg", "rescale"])
def test_edited_copies_are_confirmed(photos: Mapping[str, Pixels], family: str) -> None:
    """Of twelve copies edited at full strength, at most one (a night sky under noise) is not confirmed."""
    edits = [(photo, np.random.default_rng(seed)) for photo in photos.values() for seed in range(3)]
    scores = [look(FAMILIES[family](photo, rng, 1.0), photo).score for photo, rng in edits]
    assert sum(score >= MIN_SCORE for score in scores) >= len(scores) - 1


def test_different_photographs_are_refuted(photos: Mapping[str, Pixels]) -> None:
    """No photograph passes for another."""
    names = list(photos)
    scores = [look(photos[a], photos[b]).score for a in names for b in names if a != b]
    assert max(scores) < MIN_SCORE


def test_receipts_of_one_shop_are_refuted() -> None:
    """Receipts that share a layout are different, but each is itself, also when it was saved anew."""
    pages = [receipt(seed) for seed in range(5)]
    assert max(look(a, b).score for i, a in enumerate(pages) for b in pages[:i]) < MIN_SCORE
    assert look(FAMILIES["jpeg"](pages[0], np.random.default_rng(0), 1.0), pages[0]).score >= MIN_SCORE


def test_invoices_that_differ_in_numbers_are_refuted() -> None:
    """The same goods at other prices are another invoice; of 190 pairs, 5 % may pass."""
    pages = [thumbnail(page.pixels) for page in invoices(20)]
    scores = [second_look(a, b).score for i, a in enumerate(pages) for b in pages[:i]]
    assert np.mean([score >= MIN_SCORE for score in scores]) <= 0.05


@pytest.mark.parametrize("family", ["colour", "zoom_crop", "noise", "combined", "jpeg", "blur", "overlay"])
def test_edited_copies_of_pages_are_confirmed(family: str) -> None:
    """Of twenty edited invoices, at most four are taken for others of their kind."""
    pages = [page.pixels for page in invoices(20)]
    scores = [look(FAMILIES[family](page, np.random.default_rng(n), 1.0), page).score for n, page in enumerate(pages)]
    assert sum(score >= MIN_SCORE for score in scores) >= 16


@pytest.mark.parametrize(("family", "most"), [("light_gradient", 12), ("colour", 6), ("overlay", 6)])
def test_edited_pages_are_taken_for_themselves_only(family: str, most: int) -> None:
    """Of 132 pairs of an edited invoice and another one few pass, whichever of them is the original."""
    pages = [page.pixels for page in invoices(12)]
    plain = [thumbnail(page) for page in pages]
    edited = [thumbnail(FAMILIES[family](page, np.random.default_rng(n), 1.0)) for n, page in enumerate(pages)]
    for new, originals in ((edited, plain), (plain, edited)):
        scores = [second_look(a, b).score for i, a in enumerate(new) for j, b in enumerate(originals) if i != j]
        assert sum(score >= MIN_SCORE for score in scores) <= most


def test_a_mirrored_or_framed_page_is_confirmed() -> None:
    """Seen from behind, in a wide frame, or turned by two degrees, an invoice is itself: its finest detail fits."""
    page = invoices(1)[0].pixels
    framed = np.pad(page, [(40, 40), (40, 40), (0, 0)], constant_values=255)
    turned = np.asarray(Image.fromarray(page).rotate(2, Image.Resampling.BICUBIC, fillcolor="white"))
    assert min(look(each, page).score for each in (page[:, ::-1], framed, turned)) >= MIN_SCORE


@pytest.mark.parametrize("size", [(600, 400), (400, 400), (360, 500)])
def test_a_squashed_page_is_confirmed_either_way(size: tuple[int, int]) -> None:
    """A receipt of 360 x 640 in quite other proportions is a copy, whichever of the two is the original."""
    page = receipt(0)
    squashed = np.asarray(Image.fromarray(page).resize(size, Image.Resampling.LANCZOS))
    assert min(look(squashed, page).score, look(page, squashed).score) >= MIN_SCORE
    assert max(look(squashed, receipt(1)).score, look(receipt(1), squashed).score) < MIN_SCORE


def written(number: int) -> Pixels:
    """Return a page of small text, as large as a sheet of paper at 100 dpi."""
    rng = np.random.default_rng(number)
    page = Image.new("L", (850, 1100), 255)
    for row in range(40):
        words = " ".join("".join(rng.choice(list("abcdeghilmnoprstu"), rng.integers(2, 9))) for _ in range(14))
        line = words[: int(rng.choice([0, 40, 88, 88, 88]))]  # paragraphs end, and others begin
        ImageDraw.Draw(page).text((90, 110 + 21 * row), line, 20, ImageFont.load_default(size=15))
    return np.asarray(page.convert("RGB"))


def decoded(pixels: Pixels) -> Pixels:
    """Return a quarter of each side, as libjpeg decodes a file for the encoder."""
    return np.asarray(Image.fromarray(pixels).reduce(4))


@pytest.mark.parametrize("family", ["zoom_crop", "combined", "noise", "rescale", "aspect"])
def test_edited_copies_of_small_text_are_confirmed(family: str) -> None:
    """Of eight pages with letters of a pixel in a thumbnail, one edited copy may be missed, and none be another's."""
    pages = [written(number) for number in range(8)]
    plain = [thumbnail(decoded(page)) for page in pages]
    copies = [FAMILIES[family](page, np.random.default_rng(n), 1.0) for n, page in enumerate(pages)]
    looks = [[second_look(thumbnail(decoded(copy)), page).score >= MIN_SCORE for page in plain] for copy in copies]
    assert np.trace(looks) >= 7
    assert np.sum(looks) == np.trace(looks)


def printed(changed: int = 0) -> Pixels:
    """Return a page of ordinary print, a third of whose lines differ from another one's when *changed*."""
    page = Image.new("L", (425, 550), 255)
    for row in range(27):
        rng = np.random.default_rng([row, changed if row % 3 == 1 else 0])
        words = " ".join("".join(rng.choice(list("abcdeghilmnoprstu"), rng.integers(2, 9))) for _ in range(8))
        ImageDraw.Draw(page).text((30, 25 + 18 * row), words[:48], 0, ImageFont.load_default(size=13))
    return np.asarray(page.convert("RGB"))


def test_a_printed_page_with_other_lines_is_refuted() -> None:
    """Print leaves little plain paper, but is a page; one that is zoomed is found, one with nine other lines is not."""
    page = printed()
    assert is_page(view(thumbnail(page)).grey)
    assert max(look(printed(changed), page).score for changed in range(1, 6)) < MIN_SCORE
    assert look(FAMILIES["zoom_crop"](page, np.random.default_rng(0), 1.0), page).score >= MIN_SCORE


@pytest.mark.parametrize("contrast", [0.35, 0.5])
def test_faint_invoices_are_refuted(contrast: float) -> None:
    """Grey ink on both sides does not make two invoices the same; of 132 pairs two may pass."""
    pages = [(255 - contrast * (255.0 - page.pixels)).astype(np.uint8) for page in invoices(12)]
    scores = [look(a, b).score for i, a in enumerate(pages) for j, b in enumerate(pages) if i != j]
    assert sum(score >= MIN_SCORE for score in scores) <= 2


def test_specks_are_taken_out_and_letters_left(photos: Mapping[str, Pixels]) -> None:
    """Of salt and pepper a tenth is left on a photograph, a hundredth on even ground; small text is left alone."""
    cat, text = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (photos["cat"], decoded(written(0))))
    rng = np.random.default_rng(0)
    for clean, most in ((cat, 0.1), (np.full_like(cat, 130), 0.01)):
        noisy = np.where(rng.random(cat.shape) < 0.06, rng.choice(np.array([0, 255], np.uint8), cat.shape), clean)
        before, after = ((cv2.absdiff(each, clean) >= 40).mean() for each in (noisy, without_specks(noisy)))
        assert after < most * before
    assert (without_specks(text) == text).all()


def test_crowded_pages_that_differ_by_a_few_levels_are_the_same() -> None:
    """A residue of two grey levels on faint detail is what zoom leaves of small text; four times as much is not."""
    detail, other = (
        blurred(np.random.default_rng(seed).normal(0, 30, (180, 140)).astype(np.float32), 1.5) for seed in range(2)
    )
    scores = [
        overall(200 + strength * (detail + 0.4 * other), 200 + strength * detail, SHARP, framed=False)
        for strength in (1, 4)
    ]
    assert scores[1] < OVERALL <= scores[0]


def slip(text: str) -> Pixels:
    """Print a few small lines onto a large sheet, as a till's slip lies on a scanner."""
    page = Image.new("L", (1240, 1754), 255)
    font = ImageFont.load_default(size=18)
    for row in range(24):
        words = text if row % 2 else "TOTAL AND CHANGE"
        ImageDraw.Draw(page).text((420, 200 + 30 * row), f"{words} {row}", 0, font)
    return np.asarray(page.convert("RGB"))


def test_a_sheet_with_little_on_it_is_told_by_that() -> None:
    """A page is stored larger, and what only shows at that size tells it from another; noise does not."""
    first, other = slip("4711 AB 17.50"), slip("0692 KX 83.19")
    noisy = FAMILIES["gaussian_noise"](first, np.random.default_rng(0), 1.0)
    assert look(first, other).score < MIN_SCORE <= look(noisy, first).score
    assert view(thumbnail(first)).large is not None


def test_a_line_on_a_sheet_is_no_flat_picture() -> None:
    """Blank sheets are each other's copies, but not one with a line of text on it, which is its own copy when paler."""
    blank = np.full((1754, 1240, 3), 255, np.uint8)
    line = Image.fromarray(blank)
    ImageDraw.Draw(line).text((200, 700), "a line of text", 0, ImageFont.load_default(size=22))
    text = np.asarray(line)
    paler = (255 - 0.9 * (255.0 - text)).astype(np.uint8)
    assert [look(blank, blank).score, look(text, blank).score] == [1.0, 0.0]
    assert look(paler, text).score >= MIN_SCORE


def test_a_meadow_is_no_page(photos: Mapping[str, Pixels]) -> None:
    """Even texture is not paper, which has something on it; a receipt is a page, and light print; a photograph none."""
    meadow = np.random.default_rng(0).normal(120, 8, (112, 112)).astype(np.float32)
    greys = (meadow, *(view(thumbnail(each)).grey for each in (receipt(0), 255 - printed(), photos["cat"])))
    assert [is_page(grey) for grey in greys] == [False, True, True, False]


@pytest.mark.parametrize("degrees", [-3, 3])
def test_a_panorama_that_lies_aslant_is_confirmed(photos: Mapping[str, Pixels], degrees: float) -> None:
    """A picture three times as wide as high, or as high as wide, may be turned by three degrees."""
    for photo in (photos["coffee"][100:300], photos["astronaut"][100:270], photos["astronaut"][:, 100:270]):
        turned = Image.fromarray(photo).rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")
        assert look(np.asarray(turned), photo).score >= MIN_SCORE


def test_light_that_is_cut_off_at_white_changes_nothing(photos: Mapping[str, Pixels]) -> None:
    """A portrait a quarter brighter, whose lightest parts became one white, shows nothing that it did not show."""
    portrait = photos["astronaut"]
    found = look(np.minimum(portrait * 1.25, 255).astype(np.uint8), portrait)
    assert (found.score >= MIN_SCORE, found.changed) == (True, 0.0)


def noisy(pixels: Pixels) -> Pixels:
    """Add Gaussian noise of 30 levels."""
    return np.clip(pixels + np.random.default_rng(1).normal(0, 30, pixels.shape), 0, 255).astype(np.uint8)


def pale(pixels: Pixels) -> Pixels:
    """Take three quarters of the contrast away."""
    return (96 + pixels // 4).astype(np.uint8)


def either_way(one: Pixels, other: Pixels) -> float:
    """Return the lesser of the scores with each of the two as the original."""
    return min(look(one, other).score, look(other, one).score)


def test_noise_is_forgiven_whichever_picture_has_it() -> None:
    """A pale photograph is found in strong noise, also where the noisy one came first."""
    camera = pale(np.repeat(data.camera()[:, :, None], 3, axis=2))
    assert either_way(noisy(camera), camera) >= MIN_SCORE


def test_noise_on_what_is_mostly_empty_is_forgiven() -> None:
    """The moon is as even as a page, and must agree as a whole; noise all over it does not keep it from that."""
    moon = np.repeat(data.moon()[:, :, None], 3, axis=2)
    assert view(thumbnail(moon)).page
    assert either_way(noisy(moon), moon) >= MIN_SCORE


def test_what_was_made_white_by_light_is_made_white_in_the_other_picture() -> None:
    """More than twice as bright, a photograph and a page of text lose much to white, and are copies either way."""
    for each in (data.camera(), data.text()):
        grey = np.repeat(each[:, :, None], 3, axis=2)
        bright = np.minimum(grey * 2.2, 255).astype(np.uint8)
        assert either_way(bright, grey) >= MIN_SCORE


def test_a_frame_is_seen_through_whichever_picture_has_it(photos: Mapping[str, Pixels]) -> None:
    """A pale photograph in a white frame is that photograph, also where the framed one came first."""
    cat = pale(photos["cat"])
    framed = np.pad(cat, [(30, 30), (45, 45), (0, 0)], constant_values=255)
    assert either_way(framed, cat) >= MIN_SCORE


@pytest.mark.parametrize("contrast", [0.15, 0.5])
@pytest.mark.parametrize("draw", [receipts, invoices])
def test_paper_on_a_dark_ground_is_told_by_what_is_on_it(draw: Callable[[int], list[Picture]], contrast: float) -> None:
    """Receipts, or invoices, on black share their outline; none is another, and each is itself, a little darker."""
    sheets = [(128 + (page.pixels - 128.0) * contrast).astype(np.uint8) for page in draw(5)]
    black = [np.pad(each, [(40, 40), (30, 30), (0, 0)]) for each in sheets]
    assert max(look(a, b).score for i, a in enumerate(black) for b in black[:i]) < MIN_SCORE
    assert look((black[0] * 0.9).astype(np.uint8), black[0]).score >= MIN_SCORE


def test_an_outline_alone_says_nothing() -> None:
    """Where all strong detail lies within the outermost regions, the others decide."""
    rng = np.random.default_rng(0)
    outline = np.pad(np.zeros((88, 88), np.float32), 12, constant_values=1) * rng.normal(0, 400, (112, 112))
    first, second = (blurred((outline + rng.normal(0, 40, outline.shape)).astype(np.float32), 1.0) for _ in range(2))
    assert weakest(first, first) > 0.9
    assert weakest(first, second) < 0.5


def letter(ink: int) -> Pixels:
    """Return a sheet with a bold black head and, unless *ink* is white, thirty lines of print in that grey."""
    page = np.full((800, 600, 3), 255, np.uint8)
    cv2.putText(page, "ACME CORPORATION", (30, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 8)
    for line in range(30):
        text = "".join(chr(97 + int(number)) for number in np.random.default_rng(line).integers(0, 26, 42))
        cv2.putText(page, text, (30, 130 + line * 21), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (ink,) * 3, 1)
    return page


@pytest.mark.parametrize("ink", [100, 140, 160])
def test_print_is_not_made_white_to_match_an_empty_sheet(ink: int) -> None:
    """A letter in grey ink, which more light would take away, is no copy of a sheet with the same head alone."""
    assert max(look(letter(ink), letter(255)).score, look(letter(255), letter(ink)).score) < MIN_SCORE


def test_an_edge_that_was_laid_over_a_page_is_seen_through() -> None:
    """A grey edge of eight pixels over a receipt hides no more than a border does, whichever of the two has it."""
    page = receipt(0)
    edged = np.full_like(page, 150)
    edged[8:-8, 8:-8] = page[8:-8, 8:-8]
    assert either_way(edged, page) >= MIN_SCORE


def test_pictures_with_nothing_but_an_outline_are_themselves() -> None:
    """A blank sheet on black, a black border and a letter's head have nothing inside; noise there tells nothing."""
    border = np.pad(np.full((580, 580, 3), 255, np.uint8), [(10, 10), (10, 10), (0, 0)])
    blank = np.pad(np.full((520, 520, 3), 240, np.uint8), [(40, 40), (40, 40), (0, 0)])
    for each in (border, blank, letter(255)):
        faintly = np.clip(each + np.random.default_rng(1).normal(0, 10, each.shape), 0, 255).astype(np.uint8)
        for copy in (each, faintly, FAMILIES["jpeg"](each, np.random.default_rng(0), 1.0)):
            assert look(copy, each).score >= MIN_SCORE


def test_a_mirror_image_with_margins_is_confirmed(photos: Mapping[str, Pixels]) -> None:
    """Where both pictures have even margins, a mirror image is still tried."""
    framed = np.pad(photos["coffee"], [(20, 20), (60, 60), (0, 0)])
    found = look(framed[10:-10, -10:9:-1], framed)
    assert found.mirrored
    assert found.score >= MIN_SCORE


def test_a_changed_part_is_noticed(photos: Mapping[str, Pixels]) -> None:
    """A photograph whose quarter shows something else is not a copy, although most of it is."""
    changed = photos["coffee"].copy()
    changed[:200, :300] = photos["astronaut"][:200, :300]
    assert look(changed, photos["coffee"]).score < MIN_SCORE


def placed(thing: Pixels, background: Pixels, left: float, top: float) -> Pixels:
    """Lay a disc of *thing* on *background*, a fifth as high, at shares of its sides."""
    scene, side = background.copy(), background.shape[0] // 5
    y, x = round(top * scene.shape[0]), round(left * scene.shape[1])
    rows, columns = np.mgrid[:side, :side] - side / 2
    disc = rows**2 + columns**2 < (side / 2) ** 2
    scene[y : y + side, x : x + side][disc] = thing[60 : 60 + side, 200 : 200 + side][disc]
    return scene


@pytest.mark.parametrize("to", [(0.6, 0.3), (0.1, 0.7), (0.5, 0.6)])
def test_a_thing_that_moved_is_no_copy(photos: Mapping[str, Pixels], to: tuple[float, float]) -> None:
    """A thing as large as a logo that goes from one place to another makes two pictures, but one if it only appears."""
    for scene in (photos["coffee"], photos["rocket"]):
        before, after = placed(photos["cat"], scene, 0.1, 0.3), placed(photos["cat"], scene, *to)
        assert look(after, before).score < MIN_SCORE
        assert look(before, scene).score >= MIN_SCORE


@pytest.mark.parametrize(
    ("name", "seed"), [("astronaut", 7), ("astronaut", 58), ("cat", 17), ("cat", 21), ("coffee", 27)]
)
def test_a_caption_is_no_thing_that_moved(photos: Mapping[str, Pixels], name: str, seed: int) -> None:
    """A line whose bar shows less than what it hides seems to have left one place for another, but is too long."""
    captioned = FAMILIES["caption"](photos[name], np.random.default_rng(seed), 1.0)
    assert look(captioned, photos[name]).score >= MIN_SCORE


def test_what_is_laid_on_a_picture_is_told_in_another_light(photos: Mapping[str, Pixels]) -> None:
    """A disc counts as much where gamma and a light from one side changed all the rest, which counts for nothing."""
    scene = photos["coffee"]
    light = np.linspace(0.75, 1, scene.shape[1])[:, None]
    lit = (255 * (scene / 255) ** 0.8 * light).astype(np.uint8)
    share = np.pi / 100 * scene.shape[0] / scene.shape[1]
    assert look(lit, scene).changed == 0
    assert 0.4 * share < look(placed(photos["rocket"], lit, 0.5, 0.4), scene).changed < 1.2 * share


def test_what_shows_in_one_picture_only_is_told(photos: Mapping[str, Pixels]) -> None:
    """A disc of 2 % of the picture is told as about so much, and nothing of a copy in another light."""
    for scene in (photos["coffee"], photos["astronaut"]):
        share = np.pi / 100 * scene.shape[0] / scene.shape[1]
        found = look(placed(photos["rocket"], scene, 0.5, 0.4), scene)
        assert 0.4 * share < found.changed < 1.2 * share
        lit = FAMILIES["colour"](scene, np.random.default_rng(1), 1.0)
        assert look(lit, scene).changed == 0


def test_a_recoloured_drawing_is_refuted() -> None:
    """The same shape in red and in blue, equally bright, are different pictures."""
    red, blue = np.full((2, 200, 200, 3), 255, np.uint8)
    red[50:150, 40:120], blue[50:150, 40:120] = (200, 30, 30), (30, 60, 255)
    assert look(red, blue).score < MIN_SCORE


def test_zoom_and_place_are_told(photos: Mapping[str, Pixels]) -> None:
    """A window of 80 % at the upper left is a zoom to 125 %, whose centre lies 10 % to the left and above."""
    cat = photos["cat"]
    height, width = cat.shape[:2]
    found = look(cat[: round(0.8 * height), : round(0.8 * width)], cat)
    assert found.score >= MIN_SCORE
    assert found.scale == pytest.approx(1.25, abs=0.01)
    assert found.shift == pytest.approx((-0.1, -0.1), abs=0.01)


@pytest.mark.parametrize("name", ["coffee", "astronaut"])
def test_a_window_of_less_than_half_of_each_side_is_found(photos: Mapping[str, Pixels], name: str) -> None:
    """Even the smallest size that is looked for is not skipped, whichever of the two is the window."""
    photo = photos[name]
    height, width = (round(side / 2.05) for side in photo.shape[:2])
    window = photo[height // 2 : height // 2 + height, width // 3 : width // 3 + width]
    assert look(window, photo).scale == pytest.approx(2.05, rel=0.03)
    assert either_way(window, photo) >= MIN_SCORE


def test_a_border_is_a_scale_below_one(photos: Mapping[str, Pixels]) -> None:
    """The original is found in a copy with a border, at the share that it takes up."""
    cat = photos["cat"]
    found = look(np.pad(cat, [(30, 30), (45, 45), (0, 0)]), cat)
    assert found.score >= MIN_SCORE
    assert found.scale == pytest.approx((300 / 360 + 451 / 541) / 2, abs=0.01)


def test_bars_on_two_sides_are_seen_through(photos: Mapping[str, Pixels]) -> None:
    """A letterboxed copy is confirmed."""
    assert look(np.pad(photos["rocket"], [(70, 70), (0, 0), (0, 0)]), photos["rocket"]).score >= MIN_SCORE


@pytest.mark.parametrize("degrees", [-4, -1, 2, 4])
def test_a_scan_that_lies_aslant_is_confirmed(photos: Mapping[str, Pixels], degrees: float) -> None:
    """Turned by a few degrees onto white, every photograph but a night sky is still a copy, upright or wide."""
    for photo in (photos["cat"], photos["coffee"], photos["astronaut"][:288]):
        turned = Image.fromarray(photo).rotate(degrees, Image.Resampling.BICUBIC, fillcolor="white")
        assert look(np.asarray(turned), photo).score >= MIN_SCORE


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_picture_of_which_one_side_was_cut_off_is_confirmed(photos: Mapping[str, Pixels], side: str) -> None:
    """Two fifths may be missing on one side; told is the inverse of the share that is left, the mean of both axes."""
    coffee = photos["coffee"]
    height, width = coffee.shape[:2]
    rows = {"top": slice(height * 2 // 5, None), "bottom": slice(height * 3 // 5)}.get(side, slice(None))
    columns = {"left": slice(width * 2 // 5, None), "right": slice(width * 3 // 5)}.get(side, slice(None))
    found = look(coffee[rows, columns], coffee)
    assert found.score >= MIN_SCORE
    assert found.scale == pytest.approx(1 / 0.8, abs=0.02)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_an_original_that_lacks_a_strip_confirms_the_whole_picture(photos: Mapping[str, Pixels], name: str) -> None:
    """It lies to the left of the new picture's middle, and takes up less than it."""
    photo = photos[name]
    found = look(photo, photo[:, : round(0.96 * photo.shape[1])])
    assert found.score >= MIN_SCORE
    assert (found.scale, found.shift[0]) == (pytest.approx(0.98, abs=0.01), pytest.approx(-0.02, abs=0.01))


def test_a_mirror_image_is_told(photos: Mapping[str, Pixels]) -> None:
    """A mirrored copy is confirmed, and called mirrored; a plain one is not."""
    found = look(photos["cat"][:, ::-1], photos["cat"])
    assert (found.mirrored, found.score >= MIN_SCORE) == (True, True)
    assert not look(photos["cat"], photos["cat"]).mirrored


def test_the_same_thumbnails_give_the_same_look(photos: Mapping[str, Pixels]) -> None:
    """Nothing but the bytes decides, whatever was compared in between."""
    pair = thumbnail(photos["coffee"][20:]), thumbnail(photos["coffee"])
    first = second_look(*pair)
    look(photos["cat"], photos["rocket"])
    assert second_look(bytes(bytearray(pair[0])), bytes(bytearray(pair[1]))) == first


def test_flat_pictures_are_compared_by_their_brightness() -> None:
    """Two flat pictures are the same only when about equally bright; a flat one is never a photograph."""
    dark, grey, light = (np.full((40, 60, 3), level, np.uint8) for level in (10, 118, 128))
    assert [look(grey, light).score, look(dark, light).score] == [1.0, 0.0]
    assert look(receipt(0), light).score == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (700, 2), (3, 3), (112, 112), (2000, 300)])
def test_any_size_has_a_small_thumbnail(shape: tuple[int, int]) -> None:
    """Even noise of any size fits into the row, is known for a thumbnail, and is found to be itself."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert len(thumbnail(pixels)) <= THUMBNAIL_MAX_BYTES
    assert is_thumbnail(thumbnail(pixels))
    assert look(pixels, pixels).score >= MIN_SCORE


@pytest.mark.parametrize("proportion", [0.05, 0.2, 0.37, 0.6, 1, 1.5, 2.3, 4, 9, 30])
def test_a_thumbnail_has_the_proportions_of_its_picture(proportion: float) -> None:
    """Up to eight to one, of as many pixels whether upright or wide; pages are stored larger, and made small again."""
    page = np.full((round(900 / proportion**0.5), round(900 * proportion**0.5), 3), 200, np.uint8)
    page[page.shape[0] // 3 : page.shape[0] // 2, page.shape[1] // 3 : page.shape[1] // 2] = 20
    noise = np.random.default_rng(0).integers(0, 256, page.shape, np.uint8)
    noise = noise[::12, ::12].repeat(12, 0).repeat(12, 1)[: page.shape[0], : page.shape[1]]
    views = view(thumbnail(page)), view(thumbnail(noise))
    assert views[0].large is not None
    assert views[1].large is None
    for grey, side in ((views[0].grey, SIDE), (views[1].grey, SIDE), (views[0].large, LARGE)):
        height, width = grey.shape
        assert width / height == pytest.approx(min(max(proportion, 1 / 8), 8), rel=0.05)
        assert width * height == pytest.approx(side * side, rel=0.02)
    assert is_thumbnail(thumbnail(page))
    assert is_thumbnail(thumbnail(noise))


def test_what_is_no_thumbnail_is_known() -> None:
    """Too few bytes, another size, no picture, and a header that promises a thousand million pixels are told apart."""
    made = thumbnail(receipt(0))
    other = cv2.imencode(".png", np.zeros((60, 60), np.uint8))[1].tobytes()
    lying = bytearray(other)
    lying[16:24] = (40_000).to_bytes(4, "big") * 2
    lying[29:33] = zlib.crc32(bytes(lying[12:29])).to_bytes(4, "big")
    for stored in (b"", made[:100], made[:128], made[:128] + b"?" * 500, made[:128] + other, made[:128] + bytes(lying)):
        assert not is_thumbnail(stored)
    with pytest.raises(ValueError, match="no thumbnail"):
        view(made[:128] + bytes(lying))


def test_what_was_laid_on_one_place_is_forgiven(photos: Mapping[str, Pixels]) -> None:
    """A logo over a corner and a border all round leave a copy; another lower half does not."""
    cat, coffee = photos["cat"], photos["coffee"]
    marked, framed, mixed = cat.copy(), np.full((360, 511, 3), 255, np.uint8), cat.copy()
    marked[20:90, 330:430] = (200, 30, 30)
    framed[30:330, 30:481] = cat
    mixed[150:] = coffee[100:250, 100:551]
    scores = [second_look(thumbnail(each), thumbnail(cat)).score for each in (marked, framed, mixed)]
    assert [score >= MIN_SCORE for score in scores] == [True, True, False]


@pytest.mark.parametrize("height", [0.0, 0.2, 0.45, 0.7, 0.9])
def test_a_caption_is_forgiven_at_any_height(photos: Mapping[str, Pixels], height: float) -> None:
    """A line of text on a bar, a tenth of the height, hides no copy but that of a night sky, wherever it lies."""
    scores = []
    for photo in photos.values():
        image = Image.fromarray(photo)
        size, top = image.height // 12, round(height * image.height)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, top, image.width, top + 1.2 * size), "white")
        draw.text((image.width // 10, top), "a walk by the sea", "black", ImageFont.load_default(size))
        scores.append(look(np.asarray(image), photo).score)
    assert sum(score >= MIN_SCORE for score in scores) >= len(scores) - 1


@pytest.mark.parametrize(("top", "height"), [(0.85, 0.14), (0.84, 0.14), (0.01, 0.10), (0.01, 0.08)])
def test_a_dark_head_or_foot_tells_nothing_of_an_invoice(top: float, height: float) -> None:
    """Invoices that share a dark bar are told by their figures; of 90 pairs at most two may pass."""
    pages = [page.pixels.copy() for page in invoices(10)]
    for page in pages:
        side = len(page)
        page[round(top * side) : round((top + height) * side), page.shape[1] // 20 : -page.shape[1] // 20] = 60
    thumbnails = [thumbnail(page) for page in pages]
    scores = [second_look(a, b).score for a in thumbnails for b in thumbnails if a is not b]
    assert sum(score >= MIN_SCORE for score in scores) <= 2
