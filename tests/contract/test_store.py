"""What Store promises, on every back end: reading and writing entries."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from indexer.errors import StoreError
from indexer.records import THUMBNAIL_MAX_BYTES, URI_MAX_BYTES, Counts, Entry, Head, Look, Lookalike, Settings
from indexer.store import lite
from indexer.store.base import Store

SETTINGS = Settings("network@1", dim=8, radius=0.01)
ODD_URIS = [
    'it\'s "quoted".jpg',
    "back\\slash\\.jpg",
    "line\nbreak\ttab.jpg",
    "Ünïcödé 猫 🐈.jpg",
    "shard.tar!/a b/%20.jpg",
    '" or id != "',
    " ",
    "x" * URI_MAX_BYTES,
]


def entry(uri: str, original: str | None = None, **fields: object) -> Entry:
    """Return a plausible entry of *uri*."""
    made = Entry(
        uri=uri,
        sha256="a" * 64,
        size=1234,
        mtime_ns=1_700_000_000_123_456_789,
        width=640,
        height=480,
        format="JPEG",
        original=original,
        distance=None if original is None else 0.0012345678901234,
        exact=False,
        descriptor=np.linspace(0, 0.03, 8, dtype=np.float32),
        thumbnail=bytes(range(256)),
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(make_store: Callable[[Settings], Store]) -> Store:
    """Return an empty store of each kind."""
    return make_store(SETTINGS)


def test_an_entry_comes_back_as_it_was(store: Store) -> None:
    """Every field of an original and of a copy survives, the descriptor bit by bit."""
    original, copy = entry("a", size=-1, mtime_ns=-1), entry("b", "a", exact=True)
    store.put([copy, original])
    found = store.get(["a", "b"])
    assert found == {"a": original, "b": copy}
    assert found["b"].descriptor.tobytes() == copy.descriptor.tobytes()
    assert found["b"].descriptor.dtype == np.float32


def test_what_a_look_told_comes_back_as_it_was(store: Store) -> None:
    """What confirmed a copy, and which original a unique one resembles, survive bit by bit, whatever it is named."""
    look = Look(0.1 + 0.2, 1.28, (-1 / 3, 5e-324), mirrored=True, changed=1 / 7)
    copy = entry("copy", "a", look=look)
    uniques = [entry(f"u{n}", lookalike=Lookalike(uri, 1 / 3, -0.25, 1 / 9)) for n, uri in enumerate(ODD_URIS)]
    store.put([copy, *uniques])
    assert store.get(["copy"]) == {"copy": copy}
    assert list(store.get([e.uri for e in uniques]).values()) == uniques


def test_thumbnails_come_with_what_may_be_written_again(store: Store) -> None:
    """Every byte of them survives; a look-up by URI, made for each unchanged image, goes without."""
    longest = np.random.default_rng(0).bytes(THUMBNAIL_MAX_BYTES)
    original, copy = entry("a", thumbnail=longest, sha256="b" * 64), entry("b", "a", thumbnail=b"\0")
    store.put([original, copy])
    assert {e.uri: e.thumbnail for e in store.entries()} == {"a": longest, "b": b"\0"}
    assert [e.thumbnail for e in store.copies_of(["a"])["a"]] == [b"\0"]
    assert [(e.uri, e.thumbnail) for e in store.copies_of(["a"], pictures=False)["a"]] == [("b", b"")]
    for _ in range(lite.SCANS_FIRST + 1):
        found = store.with_bytes(["a" * 64, "b" * 64])
        assert (found["a" * 64].thumbnail, found["b" * 64].thumbnail) == (b"\0", longest)
    assert [e.thumbnail for e in store.get(["a", "b"]).values()] == [b"", b""]


def test_a_collection_with_a_second_look_wants_thumbnails(make_store: Callable[[Settings], Store]) -> None:
    """Where pictures confirm, an entry without one is refused, since no later image could be compared with it."""
    store = make_store(dataclasses.replace(SETTINGS, second_look=True))
    with pytest.raises(StoreError, match="bad: it has no thumbnail"):
        store.put([entry("good"), entry("bad", thumbnail=b"")])
    assert store.count() == Counts(0, 0)


def test_odd_uris_are_kept_and_found(store: Store) -> None:
    """Quotes, backslashes, line breaks, any script and the longest URI are text like any other."""
    store.put([entry(uri, sha256=f"{n:064x}") for n, uri in enumerate(ODD_URIS)])
    store.put([entry(f"copy{n}", uri) for n, uri in enumerate(ODD_URIS)])
    assert list(store.get(ODD_URIS)) == ODD_URIS
    assert {uri: [e.uri for e in found] for uri, found in store.copies_of(ODD_URIS).items()} == {
        uri: [f"copy{n}"] for n, uri in enumerate(ODD_URIS)
    }


def test_absent_and_empty_questions_have_empty_answers(store: Store) -> None:
    """Asking for nothing, or for what is not there, is not an error."""
    for full in (False, True):
        store.put([entry("there")] if full else [])
        store.remove([], originals=True)
        store.remove(["absent"], originals=False)
        assert (store.get([]), store.get(["absent"])) == ({}, {})
        assert (store.with_bytes([]), store.with_bytes(["f" * 64, "not hex"])) == ({}, {})
        assert (store.copies_of([]), store.copies_of(["absent", "there"])) == ({}, {})
        assert store.near(np.empty((0, 8), dtype=np.float32)) == []


def test_a_write_is_read_at_once(store: Store) -> None:
    """Each of twenty writes is seen by every read that follows it."""
    for n in range(20):
        written = entry(f"{n}", sha256=f"{n:064x}", descriptor=np.full(8, n, dtype=np.float32))
        store.put([written])
        assert store.get([f"{n}"]) == {f"{n}": written}
        assert store.with_bytes([f"{n:064x}"]) == {f"{n:064x}": written}
        assert [m.uri for m in store.near(written.descriptor[None])[0].matches] == [f"{n}"]
    assert store.count() == Counts(20, 0)


def test_writing_again_replaces(store: Store) -> None:
    """An entry that is put again, also twice at once, is one row with the last values."""
    store.put([entry("a", width=1), entry("a", width=2)])
    assert store.get(["a"])["a"].width == 2
    store.put([entry("a", width=3, sha256="b" * 64)])
    assert store.get(["a"])["a"].width == 3
    assert store.with_bytes(["a" * 64, "b" * 64]).keys() == {"b" * 64}
    assert store.count() == Counts(1, 0)


def test_the_two_rows_of_one_uri_are_independent(store: Store) -> None:
    """A URI in both partitions is two rows; `get` returns the original's."""
    store.put([entry("x"), entry("a")])
    store.put([entry("a", "x")])
    assert (store.count(), store.get(["a"])["a"].original) == (Counts(2, 1), None)
    assert [e.uri for e in store.copies_of(["x"])["x"]] == ["a"]


@pytest.mark.parametrize("originals", [True, False])
def test_removing_from_one_partition_leaves_the_other(store: Store, *, originals: bool) -> None:
    """Of a URI in both partitions, only the named row goes."""
    store.put([entry("x"), entry("a"), entry("a", "x")])
    store.remove(["a", "a", "absent"], originals=originals)
    assert store.get(["a"])["a"].is_original is not originals
    assert store.count() == (Counts(1, 1) if originals else Counts(2, 0))


def test_an_entry_moves_between_partitions(store: Store) -> None:
    """Written in one role and removed from the other, in either direction, an entry is there once."""
    store.put([entry("x"), entry("a")])
    store.put([entry("a", "x")])
    store.remove(["a"], originals=True)
    assert (store.get(["a"])["a"].original, store.count()) == ("x", Counts(1, 1))
    assert [m.uri for m in store.near(entry("a").descriptor[None])[0].matches] == ["x"]
    store.put([entry("a")])
    store.remove(["a"], originals=False)
    assert (store.get(["a"])["a"].original, store.count()) == (None, Counts(2, 0))


def test_a_removed_entry_is_gone_from_every_read(store: Store) -> None:
    """What was removed is neither found by URI, nor by bytes, nor nearby, nor counted."""
    store.put([entry("a"), entry("b", "a")])
    store.remove(["a"], originals=True)
    store.remove(["b"], originals=False)
    assert (store.get(["a", "b"]), store.with_bytes(["a" * 64]), store.copies_of(["a"])) == ({}, {}, {})
    assert store.near(entry("a").descriptor[None])[0].matches == ()
    assert (list(store.entries()), store.count()) == ([], Counts(0, 0))


def test_equal_bytes_are_found_however_often(store: Store) -> None:
    """One entry per digest comes back, beside one with a thousand, also after some were removed."""
    many = [entry(f"{n}", "x", sha256="b" * 64) for n in range(1000)]
    store.put([entry("x", sha256="c" * 64), *many])
    for _ in range(lite.SCANS_FIRST + 1):
        found = store.with_bytes(["b" * 64, "c" * 64, "d" * 64])
        assert {digest: e.sha256 for digest, e in found.items()} == {"b" * 64: "b" * 64, "c" * 64: "c" * 64}
    store.remove([e.uri for e in many[5:]], originals=False)
    store.put([dataclasses.replace(e, sha256="d" * 64) for e in many[:4]])
    assert store.with_bytes(["b" * 64])["b" * 64].uri == "4"
    assert store.with_bytes(["d" * 64])["d" * 64].uri in "0123"


def test_entries_yields_all_of_both_partitions(store: Store) -> None:
    """More than one page of originals and copies is yielded, each once, as it is."""
    written = [entry(f"{n}") for n in range(2500)] + [entry(f"c{n}", "0") for n in range(100)]
    store.put(written)
    assert sorted(store.entries(), key=lambda e: e.uri) == sorted(written, key=lambda e: e.uri)
    assert store.count() == Counts(2500, 100)


def test_rows_are_found_by_their_role(store: Store) -> None:
    """What a copy of a collection asks: the row of this URI in this role, whole, in the order asked, or none."""
    original, copy = entry("a", sha256="b" * 64), entry("a", "x", thumbnail=b"c")
    store.put([original, copy, entry("x")])
    found = store.stored([copy, entry("absent"), original, entry("x", "a"), copy])
    assert found == [copy, None, original, None, copy]
    assert [e.thumbnail for e in found if e] == [b"c", original.thumbnail, b"c"]
    assert store.stored([]) == []


def test_heads_tell_of_every_row_who_it_is(store: Store) -> None:
    """More than one page of both partitions comes, each row once, in order, of a URI in both partitions two."""
    rows = [entry(f"{n}", sha256=f"{n:064x}", missing_since=n or None) for n in range(2500)]
    rows += [entry("c", ODD_URIS[0], missing_since=2**63 - 1), entry("c")]
    store.put(rows)
    rows.sort(key=lambda e: (e.is_original, e.id))
    assert list(store.heads()) == [Head(e.uri, e.sha256, e.original, e.missing_since) for e in rows]


def test_a_mark_leaves_all_else_as_it_was(store: Store) -> None:
    """A mark is set and taken off in rows of both roles, and no other field of theirs, nor another row, changes."""
    copy = entry("c", "a", look=Look(0.9, 1.5, (0.25, 0.0), mirrored=True), exact=True, mtime_ns=-1)
    rows = {"a": entry("a", lookalike=Lookalike("x", 0.003, 0.5)), "b": entry("b", thumbnail=b"b"), "c": copy}
    store.put(list(rows.values()))
    for since in (1_700_000_000_123_456_789, None):
        store.mark(["a", "c", "absent", "a"], since)
        marked = {uri: dataclasses.replace(e, missing_since=since if uri != "b" else None) for uri, e in rows.items()}
        assert {e.uri: e for e in store.entries()} == marked
        assert store.get(["a", "b", "c"]) == marked
        assert {e.uri: (e.thumbnail, e.descriptor.tobytes()) for e in store.entries()} == {
            uri: (e.thumbnail, e.descriptor.tobytes()) for uri, e in rows.items()
        }
    assert store.count() == Counts(2, 1)


def test_marked_originals_are_found_as_before(store: Store) -> None:
    """A file that is missing may come back: until it is removed, its entry is searched like any other."""
    store.put([entry("a")])
    store.mark(["a"], 1)
    assert [match.uri for match in store.near(entry("a").descriptor[None])[0].matches] == ["a"]
    assert store.with_bytes(["a" * 64])["a" * 64].missing_since == 1


def test_many_rows_are_marked_at_once(store: Store) -> None:
    """More rows than one page holds get their mark."""
    store.put([entry(f"{n}", sha256=f"{n:064x}") for n in range(2500)])
    store.mark([f"{n}" for n in range(2400)], 7)
    assert sum(head.missing_since == 7 for head in store.heads()) == store.missing() == 2400


def test_rows_may_change_while_heads_are_read(store: Store) -> None:
    """Marking, removing and adding behind a reader takes no other row from it, and shows it none twice."""
    store.put([entry(f"{n}", sha256=f"{n:064x}") for n in range(5000)])
    seen: list[str] = []
    for number, head in enumerate(store.heads()):
        seen.append(head.uri)
        if number % 1000 == 999:
            store.remove(seen[-400:], originals=True)
            store.mark(seen[-800:-400], 1)
            store.put([entry(f"new{number}", seen[0]), entry(f"other{number}")])
    old = [uri for uri in seen if uri.isdecimal()]
    assert sorted(old, key=int) == [f"{n}" for n in range(5000)]


@pytest.mark.parametrize(
    "fields",
    [
        {"descriptor": np.full(8, np.nan, dtype=np.float32)},
        {"descriptor": np.full(8, -np.inf, dtype=np.float32)},
        {"descriptor": np.zeros(7, dtype=np.float32)},
        {"descriptor": np.zeros((1, 8), dtype=np.float32)},
        {"descriptor": np.zeros(8, dtype=np.float64)},
        {"uri": "x" * (URI_MAX_BYTES + 1)},
        {"uri": "é" * (URI_MAX_BYTES // 2 + 1)},
        {"original": "x" * (URI_MAX_BYTES + 1)},
        {"format": "x" * 65},
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"width": 2**63},
        {"width": 3.0},
        {"size": "3"},
        {"exact": None},
        {"missing_since": 5.5},
        {"missing_since": 2**63},
        {"missing_since": 0},
        {"thumbnail": bytes(THUMBNAIL_MAX_BYTES + 1)},
        {"look": Look(np.nan, 1.0, (0.0, 0.0), mirrored=False)},
        {"lookalike": Lookalike("x" * (URI_MAX_BYTES + 1), 0.001, 0.5)},
    ],
    ids="-".join,
)
def test_what_cannot_be_stored_is_refused_whole(store: Store, fields: dict[str, object]) -> None:
    """An entry that a back end would refuse, cut or take silently stops the whole put before it writes."""
    with pytest.raises(StoreError):
        store.put([entry("good"), entry("copy", "good"), dataclasses.replace(entry("bad"), **fields)])  # type: ignore[arg-type]
    assert store.count() == Counts(0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_query_that_is_not_finite_is_refused(store: Store, bad: float) -> None:
    """NaN and infinity are near to nothing, and never reach the back end."""
    with pytest.raises(StoreError, match="NaN or infinity"):
        store.near(np.full((1, 8), bad, dtype=np.float32))


@pytest.mark.parametrize("queries", [np.zeros((1, 7), "f4"), np.zeros(8, "f4"), np.zeros((1, 8), "f8")])
def test_a_query_of_another_form_is_refused(store: Store, queries: np.ndarray) -> None:
    """A query of the wrong length, dimension or type is refused with what the collection holds."""
    with pytest.raises(StoreError, match=r"float32 \(N, 8\)"):
        store.near(queries)


def test_calls_may_come_from_several_threads(store: Store, in_threads: Callable[..., list[object]]) -> None:
    """Reads and writes from eight threads at once lose nothing."""
    in_threads(lambda n: store.put([entry(f"{n}/{m}", sha256=f"{n:064x}") for m in range(40)]), range(8))
    found = in_threads(lambda n: len(store.get([f"{n}/{m}" for m in range(40)])), range(8))
    assert (found, store.count()) == ([40] * 8, Counts(320, 0))
