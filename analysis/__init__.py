"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
