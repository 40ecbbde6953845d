"""
What a user can mend, so that a command ends with one message and without a traceback: one base for all of it.

    ModelError
    ├── EncoderLoadError    spec: an encoder's file that cannot be used
    ├── DataMissingError    data: no pictures, or a tar file that cannot be read
    ├── TooFewPairsError    tail: too few different pictures to tell a radius from
    ├── WeightsError        export: weights to make a file from that are missing, or do not go together
    └── CheckpointError     learner: no checkpoint to go on from, or one of another run

A message says what happened, to which file, and what to do. Serving may import this: it needs nothing.
"""

from __future__ import annotations


class ModelError(Exception):
    """Something that the user can mend; the message says how."""
