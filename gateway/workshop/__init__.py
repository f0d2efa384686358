"""The policy team's workshop: judges a policy folder of the shape of rego/, and compiles it.

A policy folder holds brightline/ (rules, facts and data, tests beside them), schemas/ (of input and decision) and
fixtures/ (what tests share). Paths in findings and in functions are relative to it, with forward slashes.
"""
