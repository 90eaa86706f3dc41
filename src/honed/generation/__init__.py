"""Writing text with decoders: requests that join and leave at every step, each answered as if it were alone."""
