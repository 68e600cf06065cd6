"""The ledger: the papers' numbered statements, each with a measurement and a verdict.

`cgro verify`.
"""
