"""What gradient descent finds: data, models, attacks, and training runs that can be resumed and
compared.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
