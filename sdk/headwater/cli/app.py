"""The application that the commands are declared on, and the options that several of them share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from headwater.cli import completion


class Output(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """How objects of a cluster are printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def _app(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


app = _app("Run Python workflows anywhere, and see what happened.")
cache_app = _app("Look at, explain and clear the cache.")
flows_app = _app("Registered flows, and flows of flows.")
operator_app = _app("The operator: what runs workflows in a cluster.")

OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How to print: text, or json for programs.")
]
FormatOption = Annotated[Format, typer.Option("--output", "-o", help="How to print: text, json or yaml.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="An input of the workflow; VALUE is JSON or text."
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        help="module:workflow, a .py file (FILE.py:NAME if it has several), or a YAML/JSON document."
    ),
]
_RUN_HELP = "The run's id, the beginning of it, or `last`; in a cluster its name, or NAMESPACE/NAME."
RunId = Annotated[str, typer.Argument(metavar="RUN", help=_RUN_HELP, autocompletion=completion.runs)]
RunIds = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help=f"One run or several. {_RUN_HELP}", autocompletion=completion.runs),
]
From = Annotated[
    str | None, typer.Option("--from", metavar="NODE", help="NODE, or items of a map: NODE[3,7-9].")
]
Image = Annotated[
    str | None,
    typer.Option(help="The image that Python tasks run in; else the config's, else the operator's."),
]
Store = Annotated[
    str | None, typer.Option(help="Where code too large for a ConfigMap is uploaded: s3://bucket/folder.")
]
Context = Annotated[
    str | None,
    typer.Option(help="The context of the kubeconfig: which cluster.", autocompletion=completion.contexts),
]
Namespace = Annotated[
    str | None,
    typer.Option(help="The namespace; the context's by default.", autocompletion=completion.namespaces),
]
Kubeconfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="The kubeconfig; KUBECONFIG, or ~/.kube/config.")
]
