"""What the other packages need of this one and users do not: readers of what users pass, files
written whole, shards, digests, words of results.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub("constructions", __file__)
