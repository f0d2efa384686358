"""The policy team's tools: check a policy folder such as rego/, and compile it.

A policy folder holds brightline/ (rules, facts and data, with their tests), schemas/ (of input and decision) and
fixtures/ (shared by tests). Paths in findings and function results are relative to it, with forward slashes.
"""
