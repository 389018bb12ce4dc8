"""Tasks that come with Headwater."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from headwater.blocks.task import Task
from headwater.errors import DefinitionError, HeadwaterError


class CommandFailed(HeadwaterError):
    """A command that a task ran ended with an exit code that is not 0."""

    code = "HW014"


class IdentityTask(Task):
    """Passes its inputs on as they are.

    >>> IdentityTask()(a=1)
    {'a': 1}
    """

    name = "identity_task"

    def setup_targets(self) -> None:
        """It takes and gives whatever its upstreams offer."""

    def _execute(self, inputs: Any) -> dict[str, object]:
        return {**self.bound, **inputs}


class Printed(TypedDict):
    """What a command gives."""

    stdout: str
    returncode: int


class PrintedByEach(TypedDict):
    """What scripts give: what each has printed."""

    stdout: list[str]


class PopenTask(Task):
    """Runs one command; its output goes to the log and is the output `stdout`.

    >>> PopenTask()(command=["echo", "hello"])
    {'stdout': 'hello\\n', 'returncode': 0}
    """

    name = "popen_task"

    def run(self, command: Any, shell: bool = False, cwd: Any = None) -> Printed:
        """Run it; an exit code other than 0 fails the task."""
        shown = command if isinstance(command, str) else " ".join(map(str, command))
        done = subprocess.run(
            command,
            shell=shell or isinstance(command, str),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            logging.getLogger("headwater.popen").info(line)
        if done.returncode:
            last = "\n".join(done.stdout.splitlines()[-10:])
            raise CommandFailed(f"`{shown}` ended with exit code {done.returncode}\n{last}".rstrip())
        return {"stdout": done.stdout, "returncode": done.returncode}


class ExecuteShellScripts(Task):
    """Runs shell scripts one after the other; the first that fails fails the task."""

    name = "execute_shell_scripts"

    def run(self, scripts: Any, shell: str = "/bin/sh") -> PrintedByEach:
        """Run each script file in turn."""
        files: Sequence[Any] = [scripts] if isinstance(scripts, str | Path) else scripts
        printed: list[str] = []
        for file in files:
            if not Path(file).is_file():
                raise DefinitionError(f"there is no script {str(file)!r}", fix="Check the path.")
            printed.append(PopenTask().run([shell, str(file)])["stdout"])
        return {"stdout": printed}


class IPythonTask(Task):
    """Opens an interactive shell in the middle of a workflow, with the inputs in the dict `kwargs`.

    What is changed in `kwargs` is passed on. It needs a terminal; IPython is used where it is installed.
    """

    name = "ipython_task"

    def setup_targets(self) -> None:
        """It takes and gives whatever its upstreams offer."""

    def _execute(self, inputs: Any) -> dict[str, object]:
        kwargs = {**self.bound, **inputs}
        banner = "The outputs of the upstream are in the dict `kwargs`. Leave with Ctrl-D."
        try:
            from IPython import embed
        except ImportError:
            import code

            code.interact(banner=banner, local={"kwargs": kwargs})
        else:
            embed(banner1=banner, user_ns={"kwargs": kwargs})
        return kwargs


PASS_THROUGH = (IdentityTask, IPythonTask)
"""Tasks whose inputs and outputs are whatever their upstreams offer."""
