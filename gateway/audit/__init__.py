"""The audit trail: records in a Merkle tree, signed checkpoints, and the promise of one record for every call.

merkle, note, keys: the formats. record: what is written. store: how it becomes durable. writer: the thread that
commits. ledger, trail, log: what the path sees. verify: the other side, which trusts none of the above.
"""
