"""GGUF files of llama.cpp: read defensively, their packed weights unpacked, and written once as a folder in hub format."""
