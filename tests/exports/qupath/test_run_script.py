"""The script that runs a model from inside QuPath: what is filled in, and, where Groovy is installed, what it does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from groovy import compiled, environment, needs_groovy
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.exports.qupath.script import literal, run_script

ID = "6a0f3f53-1111-4222-8333-123456789abc"
# QuPath as far as the script calls it: an image, an annotation, a hierarchy that holds what was added.
FAKE = """
abstract class Fake extends Script {
  static class One { UUID id; boolean annotation
    One(String id, boolean annotation) { this.id = UUID.fromString(id); this.annotation = annotation }
    UUID getID() { id }
    boolean isAnnotation() { annotation } }
  static class TransformingImageServer { List getURIs() { [new URI(System.getenv('SLIDE'))] } }
  static class RotatedServer extends TransformingImageServer { }
  static class PlainServer { List getURIs() { [new URI(System.getenv('SLIDE'))] } }
  static class Hierarchy { List all = []
    List getAllObjects(boolean root) { all }
    void removeObjects(Collection some, boolean keep) { assert keep; all.removeAll(some) }
    void addObjects(Collection some) { all.addAll(some) }
    void resolveHierarchy() { println "resolved ${all.size()}" } }
  static class Data { def server = System.getenv('ROTATED') ? new RotatedServer() : new PlainServer()
    def hierarchy = new Hierarchy() }
  Data getCurrentImageData() { System.getenv('SLIDE') ? new Data() : null }
  List getSelectedObjects() {
    (0..<(System.getenv('SELECTED') as int)).collect { new One('@ID@', true) } + [new One('@ID@', false)] }
  void exportObjectsToGeoJson(Collection some, String path, String... how) {
    assert how == ['FEATURE_COLLECTION'] as String[]
    new File(path).text = "${some.size()}" }
}
""".replace("@ID@", ID)
PATH_IO = """
package qupath.lib.io
class PathIO { static List readObjects(File file) {
  new groovy.json.JsonSlurper().parse(file).collect { new Fake.One(it, false) } } }
"""
# What is run in place of Diffuscope: tells how it was called, and writes the objects.
PROGRAM = """
import json, pathlib, sys, time
words = sys.argv[1:]
log = pathlib.Path(__file__).parent / "calls.json"
calls = json.loads(log.read_text()) if log.exists() else []
log.write_text(json.dumps([*calls, words]))
print("half of it, µm", flush=True)
if "--hang" in words:
    (log.parent / "pid").write_text(str(__import__("os").getpid()))
    time.sleep(60)
if "--fail" in words:
    sys.exit("Error: no tissue.")
out = pathlib.Path(words[words.index("-o") + 1])
out.mkdir(exist_ok=True)
if words[0] == "export":
    (out / "objects.geojson").write_text(json.dumps(["00000000-0000-4000-8000-00000000000%d" % n for n in range(3)]))
"""


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("classes"), Fake=FAKE, PathIO=PATH_IO)


def write(folder: Path, *options: str) -> Path:
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    program = [sys.executable, str(folder / "program.py")]
    text = run_script(program, "a model", folder / "results")
    (folder / "D.groovy").write_text(text.replace("def options = []", f"def options = {literal(options)}"))
    return folder / "D.groovy"


def start(classes: Path, script: Path, *, how: tuple[str, ...] = (), **more: str) -> subprocess.Popen[str]:
    told = {"SLIDE": (script.parent / "a slide.svs").as_uri(), "SELECTED": "1", **more}
    command = ["groovy", "-cp", str(classes), *(how or ("-b", "Fake", str(script)))]
    return subprocess.Popen(
        command,
        env=environment(**told),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def run(classes: Path, script: Path, **told: str) -> tuple[int, str]:
    process = start(classes, script, **told)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def test_what_is_filled_in_is_no_code() -> None:
    text = run_script(["python", "-m", "it's"], "'; evil(); '@RESULTS@", Path("/a/µ\\b"))
    assert "def program = ['python', '-m', 'it\\'s']\n" in text
    assert "def model = '\\'; evil(); \\'@RESULTS@'\n" in text
    assert "def results = new File('/a/\\u00b5\\\\b')" in text
    assert "@" not in re.sub(r"'(?:[^'\\]|\\.)*'", "", text) and text.isascii()


def test_the_command_writes_it(tmp_path: Path) -> None:
    def shell(*words: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["make", "qupath-script", *map(str, words)])
        return done.exit_code, " ".join(done.output.split())

    file = tmp_path / "D.groovy"
    assert shell(file, "--model", "stain-cd3-demo") == (0, f"Wrote {file}")
    text = file.read_text()
    assert f"def program = {literal([sys.executable, '-m', 'diffuscope'])}\n" in text
    assert "def model = 'stain-cd3-demo'\n" in text
    assert f"def results = new File({literal(str(tmp_path / 'diffuscope-results'))})\n" in text
    assert shell(file, "--model", "stain-cd3-demo")[0] == 2
    assert shell(tmp_path / "b.groovy", "--model", "no-such-model")[0] == 2
    code, said = shell(tmp_path / "b.txt", "--model", "stain-cd3-demo")
    assert code == 2 and "end it with .groovy" in said
    assert [one.name for one in tmp_path.iterdir()] == ["D.groovy"]


@needs_groovy
@pytest.mark.slow
def test_it_runs_imports_and_goes_on(classes: Path, tmp_path: Path) -> None:
    script = write(tmp_path, "--steps", "4")
    code, said = run(classes, script)
    assert code == 0, said
    assert "half of it, µm" in said
    assert "resolved 3\n3 objects added, 0 were there." in said
    results = tmp_path / "results"
    name = "a slide.svs-6a0f3f53"
    ran = ["run", "a model", str(tmp_path / "a slide.svs"), "-o", str(results / f"{name}.ome.zarr")]
    ran += ["--region", f"{results / name}.geojson#1", "--steps", "4"]
    exported = ["export", str(results / f"{name}.ome.zarr"), "-o", str(results / f"{name}.qupath"), "--qupath"]
    assert json.loads((tmp_path / "calls.json").read_text()) == [ran, [*exported, "--overwrite"]]
    # Again: it goes on with the result that is there.
    assert run(classes, script)[0] == 0
    assert json.loads((tmp_path / "calls.json").read_text())[2] == [*ran, "--resume"]


@needs_groovy
@pytest.mark.slow
def test_what_it_refuses(classes: Path, tmp_path: Path) -> None:
    script = write(tmp_path, "--fail")
    for told, sentence in (
        ({"SELECTED": "2"}, "2 annotations are selected: select one."),
        ({"ROTATED": "1"}, "otherwise than its file is"),
        ({}, "Diffuscope did not finish: Error: no tissue."),
    ):
        code, said = run(classes, script, **told)
        assert code != 0 and sentence in said, said
    assert len(json.loads((tmp_path / "calls.json").read_text())) == 1


@needs_groovy
@pytest.mark.slow
def test_a_script_that_is_killed_takes_the_program_with_it(classes: Path, tmp_path: Path) -> None:
    script = write(tmp_path, "--hang")
    # As QuPath does it: the script runs in a thread, which is interrupted.
    harness = tmp_path / "Harness.groovy"
    harness.write_text(
        "def how = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: 'Fake')\n"
        "def shell = new GroovyShell(this.class.classLoader, new Binding(), how)\n"
        f"def thread = Thread.start {{ shell.evaluate(new File({literal(str(script))})) }}\n"
        f"while (!new File({literal(str(tmp_path / 'pid'))}).exists()) Thread.sleep(50)\n"
        'thread.interrupt()\nthread.join(20000)\nprintln "alive: ${thread.isAlive()}"\n'
    )
    process = start(classes, script, how=(str(harness),))
    said, _ = process.communicate(timeout=120)
    assert "alive: false" in said, said
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
