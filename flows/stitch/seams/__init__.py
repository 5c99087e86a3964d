"""Where one shot follows another: what is seen there, and what makes them match."""

from flows.stitch.seams.ends import Ends, ends_of
from flows.stitch.seams.match import Match, match_of
from flows.stitch.seams.seam import Seam, seams_of

__all__ = ["Ends", "Match", "Seam", "ends_of", "match_of", "seams_of"]
