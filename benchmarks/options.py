"""options: what of the benchmarks to run, and how long to measure."""

from dataclasses import dataclass

from benchmarks.nets import ROWS, Row
from benchmarks.peers import PEERS


@dataclass(frozen=True)
class Options:
    rows: tuple[Row, ...] = tuple(ROWS)
    # an earlier build is one that is named: by `--build`
    peers: tuple[str, ...] = tuple(peer.key for peer in PEERS if peer.key != "build")
    dtypes: tuple[str, ...] = ("float32", "float64")
    quick: bool = False
    check: bool = False  # all peers against the reference; nothing is timed

    @property
    def rounds(self) -> int:
        if self.check:
            return 0
        return 3 if self.quick else 7

    @property
    def seconds(self) -> float:
        """Of measuring, in each turn."""
        return 0.05 if self.quick else 0.15

    def among(self, *keys: str) -> list[str]:
        """Those of the peers that are asked for."""
        return [key for key in keys if key in self.peers]
