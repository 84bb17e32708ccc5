"""What a result becomes outside of the window, and where it lies: exports, File → Save, results made last."""
