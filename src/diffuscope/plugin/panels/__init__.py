"""Parts of docks that show something."""
