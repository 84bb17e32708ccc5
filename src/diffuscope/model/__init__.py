"""Model folders: cards, where they are found, safe loading. Nothing in one is ever unpickled."""
