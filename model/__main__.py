"""Lets `python -m model` run the command line."""

from model.cli import main

main()
