"""
What Twinlens asks of a vector database, and nothing more.

Implementations: `memory.py` (brute force, the reference) and `milvus.py` (Milvus Lite and servers).
One contract suite (`tests/contract`) holds for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from indexer.records import Counts, Entry, Head, Hits, Matrix, Settings


class Store(Protocol):
    """
    One collection of one archive: a partition of originals (the only one that is searched), one of copies.

    Every read sees every write that returned before it, also one made by another process.
    Any method may raise StoreError; no other exception of a back end passes.
    One process writes at a time, see claim; calls of one process may come from several threads.
    """

    @property
    def settings(self) -> Settings:
        """What was stamped on the collection when it was made."""
        ...

    def claim(self) -> None:
        """
        Become the only process that writes to the collection, until close; at once where this one is it already.

        Whoever writes by what it has read calls this before it reads; a write without it makes up for it.

        Raises:
            LockHeld: another process writes to it; nothing was touched.
        """
        ...

    def get(self, uris: Sequence[str]) -> dict[str, Entry]:
        """
        Return the entries of those *uris* that the collection holds, by URI, without their thumbnails.

        Where a crash left a URI in both partitions, the original's row is returned.
        """
        ...

    def with_bytes(self, digests: Sequence[str]) -> dict[str, Entry]:
        """
        Return, by sha256, one entry whose bytes have that digest, for those of *digests* that are there.

        Which one of many does not matter: entries with equal bytes are in one group, at one distance.
        An archive may hold one placeholder a hundred thousand times, so all of them are never fetched.
        """
        ...

    def near(self, queries: Matrix, most: int | None = None) -> list[Hits]:
        """
        Return for each row of *queries* (N, D) the originals strictly within the radius, with thumbnails.

        Of more than *most* only the nearest are told; so they are of more than the back end can list.
        """
        ...

    def copies_of(self, uris: Sequence[str], *, pictures: bool = True) -> dict[str, list[Entry]]:
        """
        Return, by URI of an original, the copies that name it (absent when there are none).

        Without *pictures*, thumbnails are left out: an original may have a hundred thousand copies.
        """
        ...

    def put(self, entries: Sequence[Entry]) -> None:
        """
        Upsert *entries*, each into the partition of its role: all originals first, then the copies.

        An entry is written into the partition of its role only; call remove for a role that it had before.

        Raises:
            LockHeld: as claim raises it.
            StoreError: the back end refuses, another process has broken the claim, or an entry could not be stored
                as it is: a descriptor of the wrong shape or dtype or with a value that is not finite, a text or a
                thumbnail too long, none where the collection takes a second look, a digest that is none. In the
                last case nothing was written.
        """
        ...

    def remove(self, uris: Sequence[str], *, originals: bool) -> None:
        """Delete the rows of *uris* from the originals, or else from the copies; absent ones are ignored."""
        ...

    def stored(self, entries: Sequence[Entry]) -> list[Entry | None]:
        """Return for each of *entries* the row of its URI in its role, whole; None where there is none."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in no particular order."""
        ...

    def heads(self) -> Iterator[Head]:
        """
        Yield the head of every row, the copies' first, by the order of their ids; of a URI in both partitions, both.

        Rows that are written or removed meanwhile may come or not; no other is lost or comes twice for that.
        """
        ...

    def mark(self, uris: Sequence[str], missing_since: int | None) -> None:
        """Set `missing_since` in the rows of *uris*, which stay as they are otherwise; absent ones are ignored."""
        ...

    def count(self) -> Counts:
        """Return the exact numbers of entries."""
        ...

    def missing(self) -> int:
        """Return the exact number of entries that are marked as missing."""
        ...

    def close(self) -> None:
        """Release the collection; a Lite file can be opened by another process afterwards."""
        ...
