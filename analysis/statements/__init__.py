"""The ledger: the papers' numbered statements, each with a measurement and a verdict.

`cgro verify`; `cgro verify --list` names the file of each.
"""
