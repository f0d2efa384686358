"""Verifies Brightline's audit trail with public keys alone, without the gateway.

merkle, note, cosignature, proof: the formats of the tree and of signatures. fields, record: the format of records.
check, whole, distinct: one pass over a log, in batches that several processes check. export, database: sources of a
log. Every parser raises one error type of its own. Faults of a log are in a Report.
"""
