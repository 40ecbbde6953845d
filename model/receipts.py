"""Receipts of one shop, drawn: one layout, other items or only other numbers; hard to tell apart, and never copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont  # noqa: TID251 - draws what is measured

from model.data import Picture
from model.pixels import Pixels

RECEIPTS = 60
"""Receipts, and invoices, that are drawn to be measured with."""

SIZE = (360, 640)
ITEMS = 12
GOODS = (
    "Apples 1 kg", "Bananas", "Basil pot", "Beans, white", "Beer 6 x 0.5", "Bread, rye", "Butter 250 g", "Candles",
    "Carrots", "Cheese, young", "Chocolate", "Coffee 500 g", "Crackers", "Cucumber", "Dish soap", "Eggs, 10",
    "Flour 1 kg", "Garlic", "Honey", "Ice cream", "Jam, plum", "Ketchup", "Lemons", "Lettuce", "Matches", "Milk 3.5 %",
    "Mushrooms", "Mustard", "Noodles", "Oats", "Olive oil", "Onions", "Orange juice", "Paper towels", "Peppers",
    "Potatoes", "Rice 1 kg", "Salt", "Sugar", "Tea, green", "Tomatoes", "Toothpaste", "Vinegar", "Water 6 x 1.5",
    "Yeast", "Yoghurt",
)  # fmt: skip


def receipts(count: int) -> list[Picture]:
    """Return *count* receipts, the same ones every time."""
    return [Picture(f"receipts/{number}", receipt(number)) for number in range(count)]


def invoices(count: int) -> list[Picture]:
    """Return *count* receipts for the same goods each, the same ones every time: only the numbers differ."""
    usual = np.random.default_rng(0).permutation(GOODS)[:ITEMS].tolist()
    return [Picture(f"invoices/{number}", receipt(number, usual)) for number in range(count)]


DRAWN: Mapping[str, Callable[[int], list[Picture]]] = {
    "receipts of one shop (drawn)": receipts,
    "invoices for the same goods (drawn)": invoices,
}
"""The groups of drawn pages, by name: functions of how many pages."""


def receipt(number: int, goods: list[str] | None = None) -> Pixels:
    """Return the receipt of this *number*: for goods of its own, above a bar code, or for these *goods*, without."""
    rng = np.random.default_rng(number)
    page = Image.new("RGB", SIZE, (250, 249, 245))
    draw, font, large = ImageDraw.Draw(page), ImageFont.load_default(16), ImageFont.load_default(26)
    draw.text((180, 34), "CORNER MARKET", (20, 20, 20), large, anchor="mm")
    draw.text((180, 66), "12 Mill Lane, open 7-22", (20, 20, 20), font, anchor="mm")
    cents = rng.integers(29, 2400, ITEMS)
    own = rng.permutation(GOODS)[:ITEMS]
    for line, (good, price) in enumerate(zip(goods or own, cents, strict=True)):
        _row(draw, font, 110 + 28 * line, str(good), int(price))
    draw.line((24, 454, 336, 454), (20, 20, 20), 2)
    _row(draw, large, 466, "TOTAL", int(cents.sum()))
    day, minute = divmod(int(rng.integers(28 * 900)), 900)
    draw.text((24, 516), f"{day + 1:02}.03.  {7 + minute // 60:02}:{minute % 60:02}", (20, 20, 20), font)
    draw.text((336, 516), f"No. {rng.integers(10**6):06}", (20, 20, 20), font, anchor="ra")
    for place in np.flatnonzero(rng.random(104) < 0.5) if goods is None else ():
        draw.rectangle((24 + 3 * place, 556, 26 + 3 * place, 610), (20, 20, 20))
    return np.asarray(page)


def _row(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, top: int, text: str, cents: int
) -> None:
    """Draw a text at the left and its price at the right."""
    draw.text((24, top), text, (20, 20, 20), font)
    draw.text((336, top), f"{cents / 100:.2f}", (20, 20, 20), font, anchor="ra")
