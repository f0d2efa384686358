"""Sealed content: what was asked and answered, kept apart from the log where the policy obliges to keep it.

Each prompt and each answer is encrypted under a key of its own. That key is wrapped twice, by two keys that a tenant
has for each retention class and month:

- a wrapping key, which the operator has (a file, or an object in a PKCS #11 token): destroying it is what a purge does;
- the public half of a key pair, whose private half two reviewers have to open together. The gateway forgets it as soon
  as it made it, so that it can seal and never open.

So neither the operator, nor the reviewers, nor one of them with the operator can read what was sealed; and who reads
it with the commands has that recorded before. The log has a digest of what is here, so that nothing here can be
swapped, and is whole without it.
"""
