"""The modules of the specs in `specs/`, emitted by symgrad: do not edit, run `make generated`."""
