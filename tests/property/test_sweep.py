"""What becomes of entries whose files are gone, as properties of nights of ingest and sweep."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flow import (
    LOOKING,
    LOOKING_ONCE,
    SETTINGS,
    TIDY,
    Disk,
    DyingStore,
    Edit,
    Image,
    Killed,
    check_groups,
    night,
    rows,
    run,
    sweep,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.jobs.census import HeldBack
from indexer.jobs.sweep import SweepPolicy, SweepSummary
from indexer.records import Settings
from indexer.store.memory import MemoryStore
from indexer.stream import Limits

ONE_BY_ONE = Limits(workers=1, readers=1, batch=1)

points = st.integers(0, 5)
names = st.sampled_from([f"disk/{letter}" for letter in "abcdefgh"])
faces = st.sampled_from([0, 0, 1, 2])
readable = st.builds(Image, names, points, points, st.integers(0, 1), face=faces)
broken = st.builds(Image, names, points, points, broken=st.just(value=True))
edits = st.lists(st.one_of(readable, readable, readable, broken, names, names, st.tuples(names, names)), max_size=12)
nights = st.lists(edits, min_size=1, max_size=4)
rules = st.sampled_from([SETTINGS, LOOKING, LOOKING_ONCE])
all_limits = st.builds(Limits, workers=st.integers(1, 2), readers=st.integers(1, 2), batch=st.integers(1, 9))
close = st.integers(0, 2)
crowds = st.lists(st.builds(Image, names, close, close, face=faces), min_size=5, max_size=12)
elsewhere = st.sampled_from([f"else/{letter}" for letter in "ab"])
away = st.lists(st.builds(Image, elsewhere, close, close, face=faces), max_size=2, unique_by=lambda image: image.name)
crowded_edits = st.lists(
    st.one_of(
        st.builds(Image, names, close, st.just(0)),
        st.builds(Image, names, close, close, broken=st.just(value=True)),
        names,
    ),
    min_size=2,
    max_size=9,
)
losses = st.lists(st.one_of(names, names, st.tuples(names, names)), max_size=5)
BRIEF = SweepPolicy(grace_s=1.5, at_most_share=1.0)
"""What vanished in one night is removed in the one after the next."""

WARY = SweepPolicy(grace_s=1.5, at_most_share=0.2)
policies = st.sampled_from([TIDY, TIDY, BRIEF, WARY])
SECOND = 1_000_000_000
SLOW = SweepPolicy(grace_s=100.0)
ANY_SHARE = replace(SLOW, at_most_share=1.0)


@given(rules, nights, all_limits)
@settings(max_examples=400, deadline=None)
def test_a_collection_holds_what_is_there(kept: Settings, history: list[list[Edit]], limits: Limits) -> None:
    """After each night the entries are the readable files, in lawful groups, and another night changes nothing."""
    store, disk, known = MemoryStore(kept), Disk(), set[str]()
    for edits_of_night in history:
        disk.do(edits_of_night)
        night(store, disk, limits)
        known = {name for name, image in disk.files.items() if not image.broken or name in known}
        before = rows(store)
        assert before.keys() == known
        check_groups(store)
        assert night(store, disk, limits) == SweepSummary(0, 0, 0, 0, 0, 0, ())
        assert rows(store) == before


TWINS = [Image("disk/a", 0, 0), Image("disk/b", 0, 0)]

LEFT_BEHIND = [Image("disk/a", 0, 0), Image("disk/b", 1, 0), Image("disk/c", 1, -1), Image("disk/h", 3, 1)]
"""A group of three and another original near its second: the third must not come before a twin of the second."""


RETURNING = [Image("disk/c", 0, 0), Image("disk/a", 0, 1), Image("disk/d", 0, 0, face=1)]
"""An original that is marked as missing, and comes back as a copy in the night in which its new original changes."""

CHANGES = [("disk/d", "disk/c"), ("disk/a", "disk/d")]


@given(rules, crowds, away, losses, losses, all_limits)
@example(SETTINGS, LEFT_BEHIND, [Image("else/a", 1, 0)], ["disk/a"], [], Limits())
@example(SETTINGS, RETURNING, [], ["disk/c"], CHANGES, ONE_BY_ONE)
@settings(max_examples=400, deadline=None)
def test_a_killed_night_heals(  # noqa: PLR0917 - one for each thing that is drawn
    kept: Settings, crowd: list[Image], other: list[Image], first: list[Edit], last: list[Edit], limits: Limits
) -> None:
    """Killed before any of its writes and done again, a night ends as an unbroken one."""
    store, disk = crowded(kept, crowd, other, first)
    disk.do(last)
    whole = store.copy()
    night(whole, disk, limits, BRIEF, 3 * SECOND)
    for dying in dying_nights(store, whole.written, disk, limits):
        night(dying, disk, ONE_BY_ONE, BRIEF, 3 * SECOND)
        assert rows(dying) == rows(whole)
    check_groups(whole)


@given(rules, crowds, losses, losses, edits, all_limits)
@example(SETTINGS, TWINS, [], ["disk/a"], [Image("disk/b", 0, 3), Image("disk/c", 0, 2)], Limits())
@example(SETTINGS, TWINS, [], ["disk/a"], [Image("disk/a", 0, 0)], Limits())
@settings(max_examples=400, deadline=None)
def test_a_killed_night_heals_whatever_comes_next(  # noqa: PLR0917 - one for each thing that is drawn
    kept: Settings, crowd: list[Image], first: list[Edit], last: list[Edit], after: list[Edit], limits: Limits
) -> None:
    """Files that come, change and return after the kill find groups in order: no row is lost, doubled or misled."""
    store, disk = crowded(kept, crowd, [], first)
    disk.do(last)
    whole = store.copy()
    night(whole, disk, limits, BRIEF, 3 * SECOND)
    later = Disk(dict(disk.files))
    later.do(after)
    for dying in dying_nights(store, whole.written, disk, limits):
        known = {head.uri for head in dying.heads()}
        night(dying, later, limits, TIDY, 4 * SECOND)
        assert rows(dying).keys() == {n for n, image in later.files.items() if not image.broken or n in known}
        check_groups(dying)


def crowded(kept: Settings, crowd: list[Image], other: list[Image], lost: list[Edit]) -> tuple[DyingStore, Disk]:
    """Return a collection of a *crowd*, some *lost* since a night, and of missing *other* images, with the disk."""
    store, disk = DyingStore(kept), Disk()
    disk.do(crowd)
    run(store, [*disk.files.values(), *other], ONE_BY_ONE)
    store.mark([image.name for image in other], 1)
    disk.do(lost)
    night(store, disk, ONE_BY_ONE, BRIEF, SECOND)
    return store.copy(), disk


def dying_nights(store: DyingStore, writes: int, disk: Disk, limits: Limits) -> Iterator[DyingStore]:
    """Yield what is left of *store* after a night that died before each of its *writes*."""
    for left in range(writes):
        dying = store.copy(dies_after=left)
        with pytest.raises(Killed):
            night(dying, disk, limits, BRIEF, 3 * SECOND)
        yield dying.copy()


@given(rules, nights, policies, st.integers(0, 30), all_limits, all_limits)
@settings(max_examples=300, deadline=None)
def test_a_killed_night_heals_after_any_history(  # noqa: PLR0917 - one for each thing that is drawn
    kept: Settings, history: list[list[Edit]], policy: SweepPolicy, writes: int, limits: Limits, later: Limits
) -> None:
    """The same after any nights before, under any policy, and with other limits."""
    whole, dying, disk = MemoryStore(kept), DyingStore(kept), Disk()
    for number, edits_of_night in enumerate(history, 1):
        disk.do(edits_of_night)
        night(whole, disk, ONE_BY_ONE, policy, number * SECOND)
        dying.left = writes if number == len(history) else -1
        try:
            night(dying, disk, limits, policy, number * SECOND)
        except Killed:
            dying.left = -1
            night(dying, disk, later, policy, number * SECOND)
    assert rows(dying) == rows(whole)


@given(rules, nights, all_limits)
@settings(max_examples=300, deadline=None)
def test_summaries_add_up(kept: Settings, history: list[list[Edit]], limits: Limits) -> None:
    """Missing is who was so before or vanished, less who returned and who was deleted of them; and only who is gone."""
    store, disk, marked = MemoryStore(kept), Disk(), set[str]()
    for number, edits_of_night in enumerate(history, 1):
        disk.do(edits_of_night)
        told = night(store, disk, limits, BRIEF, number * SECOND)
        left = marks(store).keys()
        deleted = marked - {head.uri for head in store.heads()}
        assert told.missing == len(left) == len(marked) + told.vanished - told.returned - len(deleted)
        assert told.removed <= len(deleted) <= told.removed + told.moved
        assert left.isdisjoint(disk.files)
        check_groups(store)
        marked = set(left)


def full(*images: Image) -> tuple[MemoryStore, Disk]:
    """Return a collection and the disk that it knows."""
    store, disk = MemoryStore(LOOKING), Disk()
    disk.do(images)
    night(store, disk, Limits())
    return store, disk


def marks(store: MemoryStore) -> dict[str, int]:
    """Return since when which entries are missing."""
    return {head.uri: head.missing_since for head in store.heads() if head.missing_since}


A, B, C = Image("disk/a", 0, 0), Image("disk/b", 1, 0), Image("disk/c", 5, 5)


def test_a_missing_file_is_marked_then_removed() -> None:
    """It stays as it is for the grace period, whose begin is kept, and goes at its end."""
    store, disk = full(A, B, C)
    disk.do(["disk/c"])
    assert night(store, disk, Limits(), SLOW, 50 * SECOND) == SweepSummary(1, 0, 0, 0, 0, 1, ())
    assert night(store, disk, Limits(), SLOW, 149 * SECOND) == SweepSummary(0, 0, 0, 0, 0, 1, ())
    assert marks(store) == {"disk/c": 50 * SECOND}
    assert night(store, disk, Limits(), SLOW, 150 * SECOND) == SweepSummary(0, 0, 1, 0, 0, 0, ())
    assert rows(store).keys() == {"disk/a", "disk/b", "disk/~"}


@pytest.mark.parametrize("back", [C, Image("disk/c", 3, 3), Image("disk/c", 1, 1, broken=True)])
def test_a_file_that_returns_loses_its_mark(back: Image) -> None:
    """Unchanged, changed or unreadable now: the file is there again."""
    store, disk = full(A, B, C)
    disk.do(["disk/c"])
    night(store, disk, Limits(), SLOW)
    disk.do([back])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 1, 0, 0, 0, 0, ())
    assert marks(store) == {}


def test_a_file_that_is_left_out_stays() -> None:
    """A file that patterns leave out now is not gone; and one that was marked before loses its mark."""
    store, disk = full(A, B, C)
    disk.hidden = {"disk/b"}
    assert night(store, disk, Limits()) == SweepSummary(0, 0, 0, 0, 0, 0, ())
    store.mark(["disk/b"], 1)
    assert night(store, disk, Limits()) == SweepSummary(0, 1, 0, 0, 0, 0, ())


def test_an_absent_root_is_no_deletion() -> None:
    """Law 9: not there, not read to its end, or emptied, a root keeps its entries, marks and all."""
    store, disk = full(A, B, C)
    store.mark(["disk/c"], 1)
    before = rows(store)
    disk.files.clear()
    missed = disk.sighted([], ended=False)
    missed.missed("disk")
    for sighted in (missed, disk.sighted([]), disk.sighted(["disk/a"], ended=False)):
        assert sweep(store, sighted) == SweepSummary(0, 0, 0, 0, 0, 1, ("disk",))
        assert rows(store) == before


def test_a_root_that_goes_between_run_and_sweep_is_absent() -> None:
    """The disk was read to its end, and is gone when the sweep looks: nothing is marked."""
    store, disk = full(A, B, C)
    sighted = disk.sighted(["disk/a"])
    disk.files.clear()
    assert sweep(store, sighted).absent == ("disk",)
    assert marks(store) == {}


def test_a_run_that_was_cut_short_proves_nothing() -> None:
    """Nothing is marked or removed, all that was to be read is named; what was seen is there all the same."""
    store, disk = full(A, B, C)
    store.mark(["disk/a", "disk/c"], 1)
    disk.do(["disk/b", "disk/c"])
    sighted = disk.sighted(["disk/a"])
    sighted.named = lambda: ["elsewhere"]
    assert sweep(store, sighted, complete=False) == SweepSummary(0, 1, 0, 0, 0, 1, ("disk", "elsewhere"))
    assert marks(store) == {"disk/c": 1}


def test_too_large_a_share_is_not_believed() -> None:
    """Of four entries two may vanish at once, not three; those that were marked before do not count."""
    store, disk = full(A, B, C)
    disk.do(["disk/a", "disk/b", "disk/c"])
    held = HeldBack("disk", "3 of 4 are gone at once, more than at_most_share")
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 0, 0, 0, 0, 0, (), (held,))
    disk.do([A])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(2, 0, 0, 0, 0, 2, ())
    disk.do(["disk/a"])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(1, 0, 0, 0, 0, 3, ())


def test_moved_files_are_no_share() -> None:
    """Three of four files renamed at once are followed; of one more that is deleted the share is small."""
    store, disk = full(A, B, C)
    disk.do([("disk/a", "disk/x"), ("disk/b", "disk/y"), ("disk/c", "disk/z")])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 0, 0, 3, 2, 0, ())
    disk.do(["disk/x", ("disk/y", "disk/b"), ("disk/z", "disk/c")])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(1, 0, 0, 2, 1, 1, ())


def test_moved_files_count_neither_as_gone_nor_as_there() -> None:
    """Or the share would grow when a kill comes after some of them are removed, and the next night not go on."""
    store, disk = full(A, B, C)
    disk.do(["disk/a", ("disk/b", "disk/x"), ("disk/c", "disk/y")])
    held = HeldBack("disk", "1 of 4 are gone at once, more than at_most_share")
    assert night(store, disk, Limits(), WARY).held_back == (held,)


def test_a_source_that_was_emptied_is_believed_when_any_share_is() -> None:
    """Only files that are no images are left: nothing is gone, unless the policy says so; later nights go on then."""
    store, disk = full(A)
    disk.do(["disk/a"])
    disk.hidden = {"disk/~"}
    store.remove(["disk/~"], originals=True)
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 0, 0, 0, 0, 0, ("disk",))
    assert night(store, disk, Limits(), ANY_SHARE) == SweepSummary(1, 0, 0, 0, 0, 1, ())
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 0, 0, 0, 0, 1, ())
    assert night(store, disk, Limits(), SLOW, 101 * SECOND) == SweepSummary(0, 0, 1, 0, 0, 0, ())


def test_an_unmounted_backup_is_not_moved() -> None:
    """A source that is empty all of a sudden keeps its entries, though another source has the bytes of each."""
    store, disk = full(A, B, C)
    run(store, [HAND_FED], ONE_BY_ONE)
    sighted = disk.sighted(disk.files)
    sighted.root("up", lambda uri: uri == "up", lambda: False).ended = True
    assert sweep(store, sighted, SLOW) == SweepSummary(0, 0, 0, 0, 0, 0, ("up",))


def test_what_lies_under_no_root_stays() -> None:
    """A sweep touches only what the run's sources could have shown."""
    store, disk = full(A, B, C)
    other = Disk({"disk/~": disk.files["disk/~"]}).sighted(["disk/~"])
    other.roots = {"dis": other.roots["disk"], "disk/a": other.roots["disk"]}
    assert sweep(store, other) == SweepSummary(0, 0, 0, 0, 0, 0, ())


def test_a_file_under_another_name_needs_no_grace() -> None:
    """A moved original is followed by its copies, which keep their distances; nothing is judged again."""
    far = Image("disk/d", 2, 0)
    store, disk = full(A, B, far)
    before = rows(store)
    disk.do([("disk/a", "disk/z")])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(0, 0, 0, 1, 1, 0, ())
    after = rows(store)
    assert after.keys() == {"disk/z", "disk/b", "disk/d", "disk/~"}
    assert after["disk/z"][0].is_original
    for name in ("disk/b", "disk/d"):
        was, now = before[name][0], after[name][0]
        assert (now.original, now.distance, now.look, now.exact) == ("disk/z", was.distance, was.look, was.exact)


def test_a_present_copy_leads_rather_than_a_missing_one() -> None:
    """The nearest copy is missing, too, and still in its grace: the next one becomes the original."""
    near, far = Image("disk/b", 0, 1), Image("disk/c", 1, 1)
    store, disk = full(A, near, far)
    disk.do(["disk/b"])
    night(store, disk, Limits(), SLOW, 90 * SECOND)
    store.mark(["disk/a"], 1)
    disk.do(["disk/a"])
    assert night(store, disk, Limits(), SLOW, 101 * SECOND) == SweepSummary(0, 0, 1, 0, 1, 1, ())
    assert {name: row[0].original for name, row in rows(store).items()} == {
        "disk/b": "disk/c",
        "disk/c": None,
        "disk/~": None,
    }


HAND_FED = Image("up/z", 0, 0)
"""The bytes of `disk/a` under a name that no source shows."""


def test_a_name_that_nobody_looked_at_is_no_twin() -> None:
    """Equal bytes under no root, or under one that is absent, spare nobody the grace, and lead no group meanwhile."""
    store, disk = full(A, B, C)
    run(store, [HAND_FED], ONE_BY_ONE)
    disk.do(["disk/a"])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(1, 0, 0, 0, 0, 1, ())
    sighted = disk.sighted(disk.files)
    sighted.missed("up")
    assert sweep(store, sighted, SLOW) == SweepSummary(0, 0, 0, 0, 0, 1, ("up",))
    assert rows(store)["disk/a"][0].is_original


def test_a_file_that_broke_is_no_twin() -> None:
    """An entry of the same bytes whose file was rejected this night does not lead."""
    store, disk = full(A, Image("disk/z", 0, 0), C)
    disk.do(["disk/a", Image("disk/z", 0, 0, broken=True)])
    assert night(store, disk, Limits(), SLOW) == SweepSummary(1, 0, 0, 0, 0, 1, ())
    assert rows(store)["disk/a"][0].is_original


@given(rules, st.lists(crowded_edits, min_size=2, max_size=4), away, all_limits)
@settings(max_examples=300, deadline=None)
def test_nothing_goes_early_but_what_moved(
    kept: Settings, history: list[list[Edit]], other: list[Image], limits: Limits
) -> None:
    """Within its grace an entry goes only if the night read the same bytes under another name of its source."""
    store, disk = MemoryStore(kept), Disk()
    run(store, other, ONE_BY_ONE)
    for edits_of_night in history:
        disk.do(edits_of_night)
        before = rows(store)
        night(store, disk, limits, ANY_SHARE)
        there = {hashlib.sha256(image.data).hexdigest() for image in disk.files.values() if not image.broken}
        assert all(before[name][0].sha256 in there for name in before.keys() - rows(store).keys())
