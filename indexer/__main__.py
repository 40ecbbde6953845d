"""Where the command line begins: `python -m indexer` is `twinlens`."""

from __future__ import annotations

from indexer import interrupt


def main() -> None:
    """Run the command line; Ctrl-C is heard before anything large is imported."""
    interrupt.ends_at_once()
    from indexer.cli import main as begin  # noqa: PLC0415 - see above

    begin()


if __name__ == "__main__":
    main()
