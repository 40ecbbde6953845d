"""Opening collections: what is stamped on them, and which are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.records import Counts, Entry, Settings
from indexer.store import lite, stamp
from indexer.store.engine import Engine
from indexer.store.milvus import has_collection, open_existing, open_store, stands_for, switch
from indexer.store.rows import columns

SETTINGS = Settings("network@1", dim=8, radius=0.01)
A = Entry("a", "a" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=np.zeros(8, dtype=np.float32))


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where Milvus is, embedded or not."""
    if request.param == "server":
        return str(request.getfixturevalue("server_uri"))
    return str(tmp_path_factory.mktemp("lite") / "archive.db")


@pytest.fixture(scope="module")
def made(uri: str) -> str:
    """Return the name of a collection at *uri* that holds one entry, and that is closed."""
    with closing(open_store(uri, "made", SETTINGS)) as store:
        store.put([A])
    return "made"


def test_settings_and_entries_survive_reopening(uri: str, made: str) -> None:
    """Opened again, by settings or without knowing them, a collection has its stamp and its entries."""
    with closing(open_store(uri, made, SETTINGS)) as again, closing(open_existing(uri, made)) as existing:
        for store in (again, existing):
            assert (store.settings, store.get(["a"]), store.count()) == (SETTINGS, {"a": A}, Counts(1, 0))
            assert store.near(A.descriptor[None])[0].matches[0].uri == "a"


def test_a_name_is_switched_from_a_collection_to_another(uri: str) -> None:
    """A name becomes an alias, then another's; what it was is kept, and a store that is open stays where it was."""
    for name in ("old", "new", "newer"):
        open_store(uri, name, SETTINGS).close()
    with closing(open_store(uri, "new", SETTINGS)) as store:
        store.put([A])
    switch(uri, "old", "new", "kept")
    switch(uri, "old", "new", "kept")
    assert [stands_for(uri, name) for name in ("old", "kept", "new", "none")] == ["new", "kept", "new", None]
    with closing(open_existing(uri, "old")) as store:
        switch(uri, "old", "newer", "unused")
        store.put([dataclasses.replace(A, uri="b")])
        assert (stands_for(uri, "old"), store.count()) == ("newer", Counts(2, 0))
        assert len(store.near(A.descriptor[None])[0].matches) == 2
    for name, count in (("old", 0), ("new", 2), ("kept", 0)):
        with closing(open_existing(uri, name)) as store:
            assert store.count() == Counts(count, 0)


def test_whether_there_is_a_collection_is_told_without_making_one(uri: str, made: str) -> None:
    """One that is there, one that is not, and a Milvus Lite file that is not."""
    assert [has_collection(uri, name) for name in (made, "nowhere", "nowhere")] == [True, False, False]
    if "://" not in uri:
        assert not has_collection(f"{uri}.nowhere.db", made)
        assert not Path(f"{uri}.nowhere.db").exists()


def test_two_stores_on_one_collection_see_each_others_writes(uri: str, made: str) -> None:
    """What one store writes or removes, another of the same process reads at once, by any question."""
    b = dataclasses.replace(A, uri="b", sha256="b" * 64)
    with closing(open_store(uri, made, SETTINGS)) as writer, closing(open_existing(uri, made)) as reader:
        for _ in range(lite.SCANS_FIRST // 2 + 1):
            writer.put([b])
            assert (reader.count(), reader.with_bytes(["b" * 64])) == (Counts(2, 0), {"b" * 64: b})
            writer.remove(["b"], originals=True)
            assert (reader.get(["b"]), reader.with_bytes(["b" * 64])) == ({}, {})


@pytest.mark.parametrize("other", [{"fingerprint": "network@2"}, {"dim": 9}])
def test_another_encoder_is_refused(uri: str, made: str, other: dict[str, object]) -> None:
    """A collection of another fingerprint is refused, naming both and the ways out."""
    wanted = dataclasses.replace(SETTINGS, **other)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        open_store(uri, made, wanted)
    for part in (
        SETTINGS.fingerprint,
        wanted.fingerprint,
        str(wanted.dim),
        "ingest into another --collection",
    ):
        assert part in str(caught.value)


def test_another_radius_is_refused(uri: str, made: str) -> None:
    """A collection of another radius is refused, naming both."""
    with pytest.raises(ConfigError, match=r"made with radius 0\.01, not 0\.02; leave out --radius"):
        open_store(uri, made, dataclasses.replace(SETTINGS, radius=0.02))


@pytest.mark.server
def test_of_runs_that_make_a_collection_at_once_those_with_other_settings_are_told(
    server_uri: str, in_threads: Callable[..., list[object]]
) -> None:
    """Two radii by four threads each: those with the radius of the quickest open it, the others are told theirs."""

    def attempt(radius: object) -> str:
        try:
            open_store(server_uri, "at_once", dataclasses.replace(SETTINGS, radius=radius)).close()
        except ConfigError as error:
            return str(error)
        return ""

    told = [str(each) for each in in_threads(attempt, [0.01, 0.02] * 4)]
    assert told.count("") == 4
    assert all("at_once was made with radius 0.0" in each for each in told if each)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_other_rule_is_refused(uri: str, *, wanted: bool) -> None:
    """A collection with the second look is not opened without it, nor the reverse; unless its own is asked for."""
    name = f"rule_{wanted}"
    made = dataclasses.replace(SETTINGS, second_look=not wanted, inner_radius=0.002, min_score=0.625)
    asked = dataclasses.replace(SETTINGS, second_look=wanted, inner_radius=0.003, min_score=0.5)
    open_store(uri, name, made).close()
    said = "without the second look.*leave out second_look=True" if wanted else "with the second look.*leave out --no-s"
    with pytest.raises(ConfigError, match=f"{name} was made {said}.*another --collection"):
        open_store(uri, name, asked)
    with closing(open_store(uri, name, asked, own=["second_look"])) as store:
        assert store.settings == made


def test_another_method_of_looking_is_refused(uri: str) -> None:
    """Thumbnails that were made another way are never compared."""
    looking = dataclasses.replace(SETTINGS, second_look=True, method="old-1")
    open_store(uri, "method", looking).close()
    with pytest.raises(ConfigError, match="thumbnails of the method old-1, this Twinlens compares those of new-1"):
        open_store(uri, "method", dataclasses.replace(looking, method="new-1"))


@pytest.mark.parametrize(("version", "way_out"), [(1, "ingest into another --collection"), (4, "update Twinlens")])
def test_another_version_is_refused(uri: str, monkeypatch: pytest.MonkeyPatch, version: int, way_out: str) -> None:
    """A collection whose rows have another form is refused, with both versions and the way out."""
    with monkeypatch.context() as then:
        then.setattr(stamp, "SCHEMA_VERSION", version)
        open_store(uri, f"version_{version}", SETTINGS).close()
    for opened in (
        lambda: open_store(uri, f"version_{version}", SETTINGS),
        lambda: open_existing(uri, f"version_{version}"),
    ):
        with pytest.raises(ConfigError, match=rf"rows are of version {version}, this one's of 3\); {way_out}"):
            opened()


def test_a_collection_of_something_else_is_refused(uri: str, foreign: str) -> None:
    """A collection without our stamp is refused, and left as it is."""
    for opened in (lambda: open_store(uri, foreign, SETTINGS), lambda: open_existing(uri, foreign)):
        with pytest.raises(ConfigError, match=f"{foreign} at .* was not made by Twinlens; name another"):
            opened()


@pytest.fixture
def foreign(uri: str, made: str) -> Iterator[str]:
    """Return the name of a collection that is not ours."""
    with closing(open_existing(uri, made)) as store:
        client = store.table.client
        if not client.has_collection("foreign"):
            if isinstance(client, Engine):
                client.create_collection("foreign", schema=columns(4), properties={})
            else:
                client.create_collection("foreign", dimension=4)
        yield "foreign"


def test_an_index_of_another_distance_is_refused(uri: str) -> None:
    """A collection whose index somebody else has made for another metric is refused, with the way out."""
    with closing(open_store(uri, "metric", SETTINGS)) as store:
        client = store.table.client
        client.release_collection("metric")
        client.drop_index("metric", "descriptor")
        client.create_index("metric", store.table.index_params({"index_type": "FLAT", "metric_type": "IP"}))
    for opened in (lambda: open_store(uri, "metric", SETTINGS), lambda: open_existing(uri, "metric")):
        with pytest.raises(ConfigError, match=r"index descriptor of the collection metric at .* measures IP, not L2"):
            opened()


def test_a_released_collection_is_loaded_again(uri: str, made: str) -> None:
    """What somebody releases, before it is opened or amid a run, is loaded when it is next read."""
    with closing(open_existing(uri, made)) as store:
        store.table.client.release_collection(made)
        assert store.count().originals > 0
        store.table.client.release_collection(made)
        assert store.near(A.descriptor[None])[0].matches[0].uri == "a"
        store.table.client.release_collection(made)
        with closing(open_existing(uri, made)) as again:
            assert again.get(["a"]) == {"a": A}


@pytest.mark.usefixtures("made")
def test_an_absent_collection_is_not_made_by_looking(uri: str) -> None:
    """Asked for a collection that is not there, the message lists those that are."""
    for opened in (
        lambda: open_existing(uri, "absent"),
        lambda: open_store(uri, "absent", SETTINGS, create=False),
    ):
        with pytest.raises(ConfigError, match=r"no collection absent at .*\(there: .*made.*twinlens ingest"):
            opened()


@pytest.mark.parametrize("name", ["", "with space", "../escape", "1st", "naïve", "x" * 256, 'a"b'])
def test_a_name_that_cannot_be_is_refused(uri: str, name: str) -> None:
    """What Milvus cannot name a collection is refused before it is asked."""
    with pytest.raises(ConfigError, match="cannot name a collection"):
        open_store(uri, name, SETTINGS)


@pytest.mark.parametrize("uri", ["archive", "archive.sqlite", "localhost:19530", "s3://bucket/a.db/"])
def test_what_is_neither_path_nor_address_is_refused(uri: str, tmp_path: Path) -> None:
    """A URI that names neither a Lite path nor a server is refused with what they look like."""
    with pytest.raises(ConfigError, match=r"ends in \.db, nor a server's http:// or https:// address"):
        open_store(uri, "images", SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_errors_are_of_the_kinds_that_the_command_line_knows() -> None:
    """The three kinds that opening raises have three exit codes."""
    assert [kind.exit_code for kind in (ConfigError, StoreError, LockHeld)] == [2, 3, 4]
