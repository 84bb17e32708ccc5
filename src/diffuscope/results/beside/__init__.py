"""What a result holds beside images: what writes, reads and words each kind of it."""
