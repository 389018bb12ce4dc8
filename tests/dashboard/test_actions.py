"""Runs are told what to do from the page as they are by flowctl."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from headwater import task, workflow
from headwater.backends.control import mailbox_of
from headwater.configuration import database_url
from headwater.engine.graph import Approval
from headwater.records import upgrade
from headwater.records.connection import connect
from starlette.testclient import TestClient

from tests.dashboard.conftest import reduce, row, run_row

Act = Callable[..., httpx.Response]
