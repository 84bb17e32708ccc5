"""How fast the product is, where there is a GPU."""
