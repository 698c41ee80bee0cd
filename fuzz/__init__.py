"""Random inputs for as long as one likes: `make fuzz`. See docs/fuzzing.md."""
