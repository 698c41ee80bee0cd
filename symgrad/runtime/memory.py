"""memory: how much of it there is for a result."""

import os

# Results of fewer bytes are made without a question.
LARGE = 1 << 28


def memory_available():
    """How many bytes can be had without other programs being put aside; what the machine has where
    the system does not say."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")
