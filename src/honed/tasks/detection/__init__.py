"""What finding objects in pictures needs, with boxes or with outlines: targets, decisions, figures."""
