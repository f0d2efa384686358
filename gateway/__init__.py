"""Brightline: a deployment policy gateway for government and defense use of AI models."""

import os

# gRPC's core writes lines of its own to standard error, one for each handshake that failed: strangers could fill a disk
# with them. It reads this when it is imported, so it stands here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# Where the system refuses a process, Python tries a plain fork, at which gRPC's core ends its threads and starts them
# anew; without one to be had it aborts. The gateway's children are other programs, which need nothing of that.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# One call is read on one thread: NumPy's own threads would wait for each other on matrices as small as the detector's.
# It reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
