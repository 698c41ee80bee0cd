"""Drawing sections: on a terminal, and as a page."""
