"""Checks Brightline's audit trail with public keys alone. Nothing here needs the gateway.

merkle, note, cosignature, proof: the formats of the tree and of what is signed. fields, record: what a record says.
check, whole, distinct: one pass over a log, in batches that several processes check. export, database: where a log is
read from. Every parser raises one error type of its own; what is wrong with a log is in a Report.
"""
