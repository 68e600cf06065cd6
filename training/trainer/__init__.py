"""Training runs: what they are told, what each process does, what stays in folders.

Any model, any data.
"""
