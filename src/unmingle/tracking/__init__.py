"""From the frames of a recording to tracks: one face followed through time, and the keyframes that stand for it."""
