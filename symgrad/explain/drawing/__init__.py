"""Drawing sections on a terminal."""
