// Diffuscope in QuPath 0.5 to 0.8: for research only, not for diagnosis.
//
// Select one annotation of a slide, open this file in the script editor (Automate > Script editor, File > Open...), and
// press Run. A model is run where the annotation is, and what it counted comes onto the slide as objects. What it tells
// of its progress stands below. Run > Kill running script ends it: what is done stays, and Run goes on with it.

import qupath.lib.io.PathIO

// How Diffuscope is started, and what it is to do: change the model, or add options of "diffuscope run" as ['--steps', '10'].
def program = @PROGRAM@
def model = @MODEL@
def options = []
// Where results are kept.
def results = new File(@RESULTS@)

def imageData = getCurrentImageData()
if (imageData == null)
    throw new IllegalStateException('Open a slide, select one annotation, and run this again.')
def server = imageData.getServer()
for (def one = server.getClass(); one != null; one = one.getSuperclass())
    if (one.getSimpleName() == 'TransformingImageServer')
        throw new IllegalStateException('QuPath shows this image otherwise than its file is (cropped, turned): open the image itself.')
def files = server.getURIs().findAll { it.getScheme() == 'file' }.collect { new File(it) }
if (files.size() != 1)
    throw new IllegalStateException('This image is not one file of this machine: open a slide from a disk.')
def selected = getSelectedObjects().findAll { it.isAnnotation() }
if (selected.size() != 1)
    throw new IllegalStateException("${selected.size()} annotations are selected: select one.")

// Progress is read while it comes, so that a script that is killed takes the program with it.
def call = { words ->
    def builder = new ProcessBuilder((program + words).collect { it as String })
    builder.environment().putAll([PYTHONUNBUFFERED: '1', PYTHONIOENCODING: 'utf-8'])
    def process = builder.redirectErrorStream(true).start()
    process.getOutputStream().close()
    def output = process.getInputStream()
    def line = new ByteArrayOutputStream()
    def last = ''
    def tell = {
        last = line.toString('UTF-8')
        println last
        line.reset()
    }
    try {
        while (true) {
            def ended = !process.isAlive()
            while (output.available() > 0) {
                def one = output.read()
                if (one == 10)
                    tell()
                else if (one != 13)
                    line.write(one)
            }
            if (ended)
                break
            Thread.sleep(100)
        }
    } finally {
        process.destroy()
    }
    if (line.size() > 0)
        tell()
    if (process.exitValue() != 0)
        throw new IllegalStateException("Diffuscope did not finish: ${last ?: 'it said nothing.'}")
}

results.mkdirs()
def name = files[0].getName() + '-' + selected[0].getID().toString().take(8)
def region = new File(results, name + '.geojson')
def result = new File(results, name + '.ome.zarr')
def objects = new File(results, name + '.qupath')
exportObjectsToGeoJson(selected, region.getPath(), 'FEATURE_COLLECTION')
def before = result.exists() ? ['--resume'] : []
call(['run', model, files[0], '-o', result, '--region', region.getPath() + '#1'] + options + before)
call(['export', result, '-o', objects, '--qupath', '--overwrite'])

def found = PathIO.readObjects(new File(objects, 'objects.geojson'))
def hierarchy = imageData.getHierarchy()
def every = hierarchy.getAllObjects(false)
def there = every.collect { it.getID() } as Set
def ids = found.collect { it.getID() } as Set
// All ids of a result begin alike.
def own = ids.collect { it.toString().take(@OF_RESULT@) } as Set
def earlier = every.findAll { own.contains(it.getID().toString().take(@OF_RESULT@)) && !ids.contains(it.getID()) }
hierarchy.removeObjects(earlier, true)
def gone = earlier.isEmpty() ? '' : ", ${earlier.size()} of an earlier count removed"
def missing = found.findAll { !there.contains(it.getID()) }
hierarchy.addObjects(missing)
hierarchy.resolveHierarchy()
println "${missing.size()} objects added, ${found.size() - missing.size()} were there${gone}. Images: ${objects.getPath()}"
