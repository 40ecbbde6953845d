"""`python -m indexer` is `twinlens`."""

from __future__ import annotations

from indexer.cli import main

main()
