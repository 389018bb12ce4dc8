"""A command's arguments, kept with the document of its run, so that a task of it can be entered again."""

from __future__ import annotations

import argparse
import base64
import pickle

ARGUMENTS = "headwater.dev/command-arguments"


def encoded_arguments(args: argparse.Namespace) -> str:
    """The arguments as text; those that cannot be pickled (an open file) are left out."""
    kept = {}
    for name, value in vars(args).items():
        try:
            pickle.dumps(value)
        except Exception:  # whatever pickling somebody's type raises
            continue
        kept[name] = value
    return base64.b64encode(pickle.dumps(kept)).decode()


def decoded_arguments(text: str | None) -> argparse.Namespace:
    """The arguments of a past run.

    >>> decoded_arguments(encoded_arguments(argparse.Namespace(factor=2)))
    Namespace(factor=2)
    """
    return argparse.Namespace(**(pickle.loads(base64.b64decode(text)) if text else {}))
