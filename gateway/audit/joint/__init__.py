"""One log, several processes: the keeper writes it, and the workers that serve calls ask it to.

frames: what they say to each other, over a socket pair. member: a worker's side. hub: the keeper's side.
"""
