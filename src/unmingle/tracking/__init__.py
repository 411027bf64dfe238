"""From the frames of a recording to tracks: one face followed through time, and the looks that stand for it."""
