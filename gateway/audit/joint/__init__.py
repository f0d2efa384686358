"""One log for several processes: the keeper writes the log, and the workers that serve calls hand it their entries.

frames: the messages between them, over a socket pair. member: a worker's side. hub: the keeper's side.
"""
