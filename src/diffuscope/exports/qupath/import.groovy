// @MARK@
//
// For QuPath 0.5 to 0.8. Open this file in the script editor (Automate > Script editor, File > Open...) and press Run
// while the slide, or an image that lies beside this file, is open; with neither, all of them that the project has
// get the objects. What is there already is not added again, and what is there of the same result from another threshold
// on is removed.

import java.awt.geom.AffineTransform
import qupath.lib.io.PathIO
import qupath.lib.objects.PathObjectTools

// Of the slide: its name, empty where it was left out, and [width, height] in pixels.
def slide = @SLIDE@
// Of the images beside this file by name: [width, height] and the range of values to show of each channel.
def images = @IMAGES@
// Where the images lie on the slide: [x, y] of their corner, and pixels of the slide that one of theirs covers.
def corner = @CORNER@
def downsample = @DOWNSAMPLE@

File objects
try {
    objects = new File(new File(getProperty('qupath.script.file') as String).getParentFile(), 'objects.geojson')
} catch (MissingPropertyException unsaved) {
    throw new IllegalStateException('Open import.groovy from its folder: what is pasted does not know where objects.geojson is.')
}

def isNamed = { names, String name -> name && names.any { it == name || it.startsWith(name + ' ') } }
def namesOf = { uris, String shown -> uris.collect { it.getPath() ? new File(it.getPath()).getName() : '' } + [shown] }
def find = { names, size ->
    def image = images.keySet().find { isNamed(names, it) }
    if (image != null)
        return image
    // A slide whose name was left out is known by its size.
    return isNamed(names, slide.name) || (!slide.name && size == slide.size) ? 'slide' : null
}
def sizeOf = { server -> [server.getWidth(), server.getHeight()] }

def put = { imageData, String what ->
    def server = imageData.getServer()
    def name = server.getMetadata().getName()
    def wanted = what == 'slide' ? slide.size : images[what].size
    if (sizeOf(server) != wanted)
        throw new IllegalStateException("${name} has ${sizeOf(server)} pixels and not ${wanted}: it is another image, and gets no objects.")
    def found = PathIO.readObjects(objects)
    if (what != 'slide') {
        def scale = 1.0d / downsample
        def toImage = new AffineTransform(scale, 0.0d, 0.0d, scale, -corner[0] * scale, -corner[1] * scale)
        found = found.collect { PathObjectTools.transformObject(it, toImage, true) }
    }
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
    if (what != 'slide' && getQuPath() != null)
        images[what].ranges.eachWithIndex { range, channel ->
            setChannelDisplayRange(imageData, channel, range[0] as double, range[1] as double)
        }
    println "${name}: ${missing.size()} objects added, ${found.size() - missing.size()} were there${gone}."
}

def current = getCurrentImageData()
def shown = current == null ? null : current.getServer()
def what = shown == null ? null : find(namesOf(shown.getURIs(), shown.getMetadata().getName()), sizeOf(shown))
if (what != null) {
    put(current, what)
} else {
    def entries = getProject() == null ? [] : getProject().getImageList()
    def done = 0
    for (entry in entries) {
        def one = find(namesOf(entry.getURIs(), entry.getImageName()), null)
        if (one != null) {
            def imageData = entry.readImageData()
            put(imageData, one)
            entry.saveImageData(imageData)
            done++
        }
    }
    if (done == 0)
        throw new IllegalStateException("Open ${slide.name ?: 'the slide'}, or one of ${images.keySet().join(', ')}, and run this again.")
}
