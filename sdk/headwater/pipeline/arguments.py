"""A command's arguments, kept with the document of its run, so that a task of it can be entered again."""

from __future__ import annotations

import argparse
import base64
import pickle

from headwater.configuration.masking import MASK, masked

ARGUMENTS = "headwater.dev/command-arguments"


def encoded_arguments(args: argparse.Namespace) -> str:
    """The arguments as text, passwords and the like masked; those that cannot be pickled are left out."""
    kept = {}
    for name, value in vars(args).items():
        try:
            pickle.dumps(value)
        except Exception:  # whatever pickling somebody's type raises
            continue
        kept[name] = value
    shown = masked(kept)
    kept = {name: shown[name] if shown[name] == MASK else value for name, value in kept.items()}
    return base64.b64encode(pickle.dumps(kept)).decode()


def decoded_arguments(text: str | None) -> argparse.Namespace:
    """The arguments of a past run.

    >>> decoded_arguments(encoded_arguments(argparse.Namespace(factor=2)))
    Namespace(factor=2)
    """
    return argparse.Namespace(**(pickle.loads(base64.b64decode(text)) if text else {}))
