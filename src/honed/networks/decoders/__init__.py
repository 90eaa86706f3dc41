"""Decoders: networks that say which token comes next, our own for GPT-2 and the Llama family."""
