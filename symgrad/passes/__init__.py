"""What is done with programs of symbolic expressions: pure functions, one a file."""
