"""The sections: each computes its numbers and says how they are shown."""
