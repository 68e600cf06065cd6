"""What saved runs show, with f_S beside: measured once, drawn, told.

`cgro report`, `cgro figure`.
"""
