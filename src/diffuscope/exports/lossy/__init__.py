"""OME-TIFF whose colours are compressed with loss: the name of the file says so, and so does what it says of itself."""
