"""Models behind an OpenAI-compatible address: asked only where the user says so, without personal data, and with costs counted."""
