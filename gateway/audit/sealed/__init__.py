"""Sealed content: prompts and answers, kept apart from the log if the policy requires that they are kept.

Each prompt and each answer is encrypted under a key of its own. That key is wrapped twice, by two keys that a tenant
has for each retention class and month:

- a wrapping key, which the operator has (a file, or an object in a PKCS #11 token). A purge destroys it.
- the public half of a key pair, whose private half only two reviewers together can open. The gateway forgets the
  private half as soon as it has made it, so that it can seal but never open.

So neither the operator alone nor the reviewers alone, nor one reviewer with the operator, can read sealed content. The
commands record each opening before it happens. The log has a digest of each envelope, so that nothing here can be
swapped. The log is complete without the sealed store.
"""
