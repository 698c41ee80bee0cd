"""Where a lowered program goes: elementary functions and their coefficients, and files on disk;
`numba` prints modules for Numba, and loads them."""
