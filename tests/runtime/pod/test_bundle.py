"""Where the code of a pod comes from."""

import base64
import hashlib
import io
import zipfile

import cloudpickle
import pytest

MODULE = """
from pathlib import Path
import config_of
def reads():
    text = Path(__file__).with_name("data.txt").read_text() + config_of.NAME
    return {"text": text, "here": Path("data.txt").exists()}
"""


def bundle(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def code(tmp_path):
    content = bundle({"proj.py": MODULE, "data.txt": "data of ", "config_of/__init__.py": "NAME = 'ours'"})
    (tmp_path / "bundle.zip").write_bytes(content)
    return tmp_path / "bundle.zip", f"sha256:{hashlib.sha256(content).hexdigest()}"


def run(pods, code, ref="proj:reads", **given):
    env = {"HEADWATER_CODE": str(pods.folder / "bundle.zip")}
    return pods.run("task", [{"name": "t", "task": ref}], "t", document={"code": code}, env=env, **given)


def test_a_bundle_is_unpacked_put_on_the_path_and_made_the_current_folder(pods, code):
    _, digest = code
    ended = run(pods, {"configMap": "code-3f", "digest": digest})
    assert ended.report.outputs == {"text": {"json": "data of ours"}, "here": {"json": True}}


def test_a_bundle_that_is_another_is_refused(pods, code):
    failure = run(pods, {"configMap": "code-3f", "digest": "sha256:0"}).failure
    assert (failure["type"], failure["class"]) == ("StoreError", "Error")
    assert "'code-3f' is not the one that was submitted" in failure["message"]


def test_a_bundle_that_is_not_there(pods):
    failure = run(pods, {"configMap": "code-3f", "digest": "sha256:0"}).failure
    assert "the bundle of ConfigMap 'code-3f' cannot be read" in failure["message"]


def test_a_bundle_that_is_no_zip(pods, code):
    code[0].write_bytes(b"no zip at all")
    failure = run(pods, {"configMap": "code-3f"}).failure
    assert "cannot be unpacked" in failure["message"]


def test_what_a_bundle_lacks_is_said_with_what_it_has(pods, code):
    failure = run(pods, {"configMap": "code-3f", "digest": code[1]}, ref="project.tasks:reads").failure
    assert failure["class"] == "InvalidSpec"
    assert "The bundle holds: config_of/, data.txt, proj.py." in failure["message"]


@pytest.mark.parametrize("scheme", ["file://", "local://"])
def test_code_from_a_url(pods, code, scheme):
    path, digest = code
    ended = run(pods, {"url": f"{scheme}{path}", "digest": digest})
    assert ended.report.outputs["text"] == {"json": "data of ours"}


def test_code_that_the_document_carries(pods):
    def triple(x):
        return {"y": 3 * x}

    carried = base64.b64encode(cloudpickle.dumps(triple)).decode()
    broken = base64.b64encode(b"cnowhere\nThing\n.").decode()
    document = {"code": {"inline": {"inline:triple": carried, "inline:other": broken}}}
    given = {"inputs": {"x": {"json": 4}}, "document": document}
    node = {"name": "t", "task": "inline:triple"}
    assert pods.run("task", [node], "t", **given).report.outputs == {"y": {"json": 12}}
    failure = pods.run("task", [{"name": "t", "task": "inline:other"}], "t", **given).failure
    assert "'inline:other' cannot be loaded" in failure["message"]
