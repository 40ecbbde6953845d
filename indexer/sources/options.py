"""What a user can choose about sources, what was passed over, and which names are taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from pathspec import GitIgnoreSpec

from indexer.errors import ConfigError
from indexer.sources.sighted import Sighted

MAX_BYTES = 2**30
"""Bytes of the largest file that is read as an image by default."""

IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs", ".jxl"),
)
"""Endings, in lower case, that make a file in a folder or archive an image."""

TAR_ENDINGS = {
    ".tar": "",
    ".tar.gz": "gz",
    ".tgz": "gz",
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tbz": "bz2",
    ".tar.zst": "zst",
    ".tzst": "zst",
}
"""Endings of tar archives and how they are compressed."""

ARCHIVE_ENDINGS = (*TAR_ENDINGS, ".zip")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """
    How sources are read.

    Attributes:
        include: patterns as in .gitignore, against the path below the source (of members, too); only images that
            match are taken. Empty: all.
        exclude: the same; what matches is left out, whole folders and archives, too.
        null_separated: whether the paths on standard input end in NUL rather than in a newline.
        max_bytes: images with more bytes are rejected.
        stdin: the list of paths that the source `-` reads; by default standard input.
        skip_compressed: whether to pass over compressed tars, where images are only counted.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    null_separated: bool = False
    max_bytes: int = MAX_BYTES
    stdin: BinaryIO | None = field(default=None, compare=False)
    skip_compressed: bool = False


@dataclass(slots=True)
class SourceStats:
    """
    What the sources passed over so far, and what they leave for a sweep.

    Attributes:
        ignored: files that are no images by their name, links inside archives, and archives inside archives.
        excluded: images, folders and archives that the patterns left out.
        sighted: which roots there are, and which members of archives were passed over.
    """

    ignored: int = 0
    excluded: int = 0
    sighted: Sighted = field(default_factory=Sighted, compare=False)


class Sieve:
    """Decides by name alone what is taken, and counts what is not."""

    def __init__(self, options: SourceOptions, stats: SourceStats) -> None:
        """Compile the patterns; raises ConfigError for one that cannot be."""
        self._include = _compiled(options.include) if options.include else None
        self._exclude = _compiled(options.exclude)
        self._brings_back = any(pattern.startswith("!") for pattern in options.exclude)
        self.stats = stats

    def ignores(self, path: str, *, archives: bool = True) -> bool:
        """Tell, and count, whether *path* is by its name no image (nor, if *archives*, an archive)."""
        ignored = is_shadow(path) or not (is_image(path) or (archives and is_archive(path)))
        self.stats.ignored += ignored
        return ignored

    def takes(self, path: str) -> bool:
        """Tell whether the patterns take the image at *path* below its source; count it if not."""
        taken = self._wants(path)
        self.stats.excluded += not taken
        return taken

    def enters(self, path: str) -> bool:
        """
        Tell whether the patterns allow the folder (with a final slash) or archive at *path*; count it if not.

        Where a pattern brings something back (`!`), folders are always entered, and what is in them is judged.
        """
        left_out = self._exclude.match_file(path) and not (self._brings_back and path.endswith("/"))
        self.stats.excluded += left_out
        return not left_out

    def would_take(self, path: str) -> bool:
        """Tell, without counting, whether *path* is taken by its name and by the patterns."""
        if is_shadow(path):
            return False
        return self._wants(path) if is_image(path) else is_archive(path) and not self._exclude.match_file(path)

    def _wants(self, path: str) -> bool:
        if self._exclude.match_file(path):
            return False
        return not self._include or self._include.match_file(path)


def is_image(name: str) -> bool:
    """Tell whether *name* ends as an image's does."""
    return name.lower().endswith(IMAGE_ENDINGS)


def is_archive(name: str) -> bool:
    """Tell whether *name* ends as a tar or zip archive's does."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def is_shadow(path: str) -> bool:
    """Tell whether *path* is what macOS keeps beside a file in an archive or on a foreign disk."""
    return "/__MACOSX/" in f"/{path}" or path.rpartition("/")[2].startswith("._")


def _compiled(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except (ValueError, re.error) as error:
        raise ConfigError(f"cannot understand an include or exclude pattern: {error}") from error
