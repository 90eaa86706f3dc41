"""Finding objects with numpy and Pillow alone. The other modules here import nothing of Honed: exports carry copies of them."""
