"""What any classifier does near points: errors, agreement, flatness, margins.

Learned and constructed alike.
"""
