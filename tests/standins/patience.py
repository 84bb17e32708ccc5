"""How long a test waits for what it waits for: a limit for what hangs, never for what is slow."""

SECONDS = 300
MILLISECONDS = 1000 * SECONDS
