"""Texts of the user's, made fit to be kept: no longer than is useful, without secrets, in characters that travel."""

from __future__ import annotations

from headwater.runtime.pod import surroundings


def cut(text: str, most: int, *, end: bool = False) -> str:
    """The beginning of a long text, or its end, and how much there was.

    >>> cut("x" * 9000, 3)
    'xxx … (the first 3 of 9,000 characters)'
    >>> cut("short", 100)
    'short'
    """
    if len(text) <= most:
        return text
    if end:
        return f"… (the last {most:,} of {len(text):,} characters)\n{text[-most:]}"
    return f"{text[:most]} … (the first {most:,} of {len(text):,} characters)"


def clean(text: str) -> str:
    """A text that can be shown: halves of surrogate pairs become question marks, secrets are hidden.

    >>> clean("ok \\ud800")
    'ok ?'
    """
    text = surroundings.scrubbed(text)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
