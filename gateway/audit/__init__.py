"""The audit trail: records in a Merkle tree, signed checkpoints, and the guarantee of one record for every call.

record: the content of records. store: how records become durable. writer: the thread that commits them. ledger, trail,
log: the interface for calls. The formats (Merkle tree, notes) and the verifier, which trusts none of this, are in
brightline_verify.
"""
