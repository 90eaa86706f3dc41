"""What all classifiers share, whatever they read: targets, heads, losses, decisions, figures."""
