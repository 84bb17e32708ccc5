"""Groups of rows of the form of a dock that runs models."""
