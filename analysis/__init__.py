"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""
