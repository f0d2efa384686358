"""Brightline: a deployment policy gateway for government and defense use of AI models."""

import os

# gRPC's core logs one line to standard error for each failed handshake, so strangers could fill a disk. gRPC reads this
# variable when it is imported, so the variable is set here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# If the system refuses to spawn a process, Python falls back to fork. On a fork, gRPC's core stops and restarts its
# threads, and aborts if it can't get new ones. The gateway's children are other programs and don't need fork support.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# Each call is read on one thread. On matrices as small as the detector's, NumPy's own threads would only wait for each
# other. NumPy reads this variable when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Libraries ask these whom TLS believes and where to write its keys, where PostgreSQL is and as whom, and whether to
# print what callers send. The configuration says it, or nothing does; our own processes inherit what is left.
for _name in [*os.environ]:
    if _name.startswith("PG") or _name in {"GRPC_TRACE", "SSLKEYLOGFILE", "SSL_CERT_DIR", "SSL_CERT_FILE"}:
        del os.environ[_name]
