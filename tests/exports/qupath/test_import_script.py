"""The script that imports a result, run by Groovy on a stand-in for QuPath: where objects come, and where none do."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import numpy as np
import pytest
import shapely
import stain_result
from groovy import compiled, environment, needs_groovy
from patience import SECONDS

from diffuscope.exports import export
from diffuscope.measurement.measurements import measure

pytestmark = [needs_groovy, pytest.mark.slow]

# QuPath as far as the script calls it, with names as in its sources.
FAKE = """
abstract class Fake extends Script {
  static class One { Map feature
    UUID getID() { UUID.fromString(feature.id) } }
  static class Hierarchy { List all = []; boolean resolved
    List getAllObjects(boolean root) { all }
    void removeObjects(Collection some, boolean keep) { assert keep; all.removeAll(some) }
    void addObjects(Collection some) { all.addAll(some) }
    void resolveHierarchy() { resolved = true } }
  static class Image { String name; List size; String uri; Hierarchy hierarchy = new Hierarchy(); Map ranges = [:]
    int saved
    Image getServer() { this }
    Image getMetadata() { this }
    String getImageName() { name }
    int getWidth() { size[0] }
    int getHeight() { size[1] }
    List getURIs() { [new URI(uri)] }
    Image readImageData() { this }
    void saveImageData(Image one) { assert one.is(this); saved++ } }
  static Map images
  static String open
  Image getCurrentImageData() { images[open] }
  def getProject() { this }
  List getImageList() { images.values() as List }
  def getQuPath() { this }
  void setChannelDisplayRange(Image image, int channel, double low, double high) { image.ranges[channel] = [low, high] }
}
"""
PATH_IO = """
package qupath.lib.io
class PathIO { static List readObjects(File file) {
  new groovy.json.JsonSlurper().parse(file, 'UTF-8').features.collect { new Fake.One(feature: it) } } }
"""
TOOLS = """
package qupath.lib.objects
class PathObjectTools {
  static moved(places, how) {
    if (places[0] instanceof List) return places.collect { moved(it, how) }
    def there = how.transform(new java.awt.geom.Point2D.Double(places[0] as double, places[1] as double), null)
    [there.x, there.y] }
  static Fake.One transformObject(Fake.One one, java.awt.geom.AffineTransform how, boolean measured) {
    def geometry = one.feature.geometry + [coordinates: moved(one.feature.geometry.coordinates, how)]
    new Fake.One(feature: one.feature + [geometry: geometry]) } }
"""
# Runs one script after the other, each on images of its own, and writes what they have then.
HARNESS = """
def how = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: 'Fake')
def done = new groovy.json.JsonSlurper().parse(new File(args[0]), 'UTF-8').collect { told ->
  Fake.images = told.images.collectEntries { [it.name, new Fake.Image(it)] }
  Fake.open = told.open
  def said = new StringWriter()
  def error = ''
  try { ([told.script] * told.times + (told.then ?: [])).each { one ->
    def binding = new Binding(['qupath.script.file': one, out: new PrintWriter(said)])
    new GroovyShell(this.class.classLoader, binding, how).evaluate(new File(one)) } }
  catch (IllegalStateException one) { error = one.message }
  [said: said as String, error: error, images: Fake.images.collectEntries { name, one ->
    def tree = one.hierarchy
    [name, [objects: tree.all*.feature, resolved: tree.resolved, ranges: one.ranges, saved: one.saved]] }]
}
new File(args[1]).setText(groovy.json.JsonOutput.toJson(done), 'UTF-8')
"""
SLIDE, DAB = "patient-7.svs", "out-dab.ome.tif"
SIZE = [stain_result.SHAPE[1], stain_result.SHAPE[0]]


def image(name: str, size: list[int], uri: str = "") -> dict[str, Any]:
    return {"name": name, "size": size, "uri": uri or f"file:/slides/{name}"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Any]:
    """Return the objects that were written, what came of each case, and the result."""
    folder = tmp_path_factory.mktemp("import")
    result = stain_result.write_stain(folder)
    script = export(result, folder / "out", qupath=True) / "import.groovy"
    nameless = export(result, folder / "nameless", qupath=True, anonymous=True) / "import.groovy"
    higher = export(result, folder / "higher", qupath=True, threshold=0.4) / "import.groovy"
    height, width = result.window[2:]
    slide, dab, other = image(SLIDE, SIZE), image(DAB, [width, height]), image("other.svs", SIZE)
    cases = [
        {"open": SLIDE, "images": [slide, dab], "times": 2, "script": str(script)},
        {"open": DAB, "images": [slide, dab], "times": 2, "script": str(script)},
        {"open": SLIDE, "images": [image(SLIDE, [9, 9])], "times": 1, "script": str(script)},
        {"open": None, "images": [slide, dab, other], "times": 1, "script": str(script)},
        {"open": "other.svs", "images": [other], "times": 1, "script": str(script)},
        {"open": "other.svs", "images": [other], "times": 1, "script": str(nameless)},
        # As QuPath lists an image that was renamed, and one of several in a file.
        {
            "open": "Case 1",
            "images": [image("Case 1", SIZE, f"file:/slides/{SLIDE}")],
            "times": 1,
            "script": str(script),
        },
        {
            "open": f"{SLIDE} - a",
            "images": [image(f"{SLIDE} - a", SIZE, "https://a/b")],
            "times": 1,
            "script": str(script),
        },
        {"open": SLIDE, "images": [slide], "times": 1, "script": str(script), "then": [str(higher)]},
    ]
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    (folder / "Harness.groovy").write_text(HARNESS, encoding="utf-8")
    classes = compiled(tmp_path_factory.mktemp("classes"), Fake=FAKE, PathIO=PATH_IO, PathObjectTools=TOOLS)
    words = ["groovy", "-cp", str(classes), str(folder / "Harness.groovy"), "cases.json", "done.json"]
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((script.parent / "objects.geojson").read_text(encoding="utf-8"))["features"]
    return written, json.loads((folder / "done.json").read_text(encoding="utf-8")), result


def test_all_objects_come_onto_the_slide_once(ran) -> None:
    written, (case, *_), result = ran
    assert case["images"][SLIDE]["objects"] == written and case["images"][SLIDE]["resolved"]
    assert len(written) == 1 + int(result.table[0]["positive_objects"]) > 20
    first, second = case["said"].splitlines()
    assert first == f"{SLIDE}: {len(written)} objects added, 0 were there."
    assert second == f"{SLIDE}: 0 objects added, {len(written)} were there."
    assert case["images"][DAB]["objects"] == [] and not case["error"]


def test_on_an_image_of_the_result_they_lie_on_its_px(ran) -> None:
    written, (_, case, *_), result = ran
    found = case["images"][DAB]["objects"]
    assert [one["id"] for one in found] == [one["id"] for one in written]
    y, x, height, width = result.window
    for one, other in zip(found, written, strict=True):
        there, here = (shapely.from_geojson(json.dumps(each["geometry"])) for each in (one, other))
        expected = shapely.transform(here, lambda points: points / stain_result.FACTOR - np.array([x, y]))
        assert shapely.equals_exact(there, expected, tolerance=1e-6)
        assert one["properties"] == other["properties"]
    assert shapely.box(-1, -1, width + 1, height + 1).covers(there)
    assert case["images"][DAB]["ranges"] == {"0": [0.0, 1.0]}
    assert case["images"][SLIDE]["objects"] == []


def test_another_image_gets_none(ran) -> None:
    _, done, _ = ran
    assert f"{SLIDE} has [9, 9] pixels and not {SIZE}: it is another image" in done[2]["error"]
    assert f"Open {SLIDE}, or one of out-ihc.ome.tif" in done[4]["error"]
    assert not any(one["objects"] for case in (done[2], done[4]) for one in case["images"].values())


def test_with_nothing_open_what_the_project_has_of_it_is_saved(ran) -> None:
    written, done, _ = ran
    found = done[3]["images"]
    assert {name: (len(one["objects"]), one["saved"]) for name, one in found.items()} == {
        SLIDE: (len(written), 1), DAB: (len(written), 1), "other.svs": (0, 0),
    }  # fmt: skip


def test_a_slide_is_known_by_its_file_its_name_or_without_one_by_its_size(ran) -> None:
    written, done, _ = ran
    for case in done[5:8]:
        (one,) = case["images"].values()
        assert len(one["objects"]) == len(written), case


def test_from_another_threshold_on_they_come_in_the_stead_of_those_that_were_there(ran) -> None:
    written, done, result = ran
    found = [one["properties"]["objectType"] for one in done[8]["images"][SLIDE]["objects"]]
    higher = int(measure(result, threshold=0.4)[0]["positive_objects"])
    assert sorted(found) == ["annotation"] + ["detection"] * higher and higher != len(written) - 1
    added, told = done[8]["said"].splitlines()[1].split(" objects added, ")
    kept, removed = (int(part.split()[0]) for part in told.split(", "))
    assert int(added.split(": ")[1]) + kept == higher + 1 and kept + removed == len(written)
