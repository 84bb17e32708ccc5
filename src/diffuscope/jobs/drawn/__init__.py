"""What other programs had: a region that was drawn in one, a layer that one shows."""
