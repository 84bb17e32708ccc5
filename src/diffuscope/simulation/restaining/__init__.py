"""Real H&E restained by a written rule."""
