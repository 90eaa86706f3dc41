"""A text-generation base from nothing: tokenizer, shards of tokens, size by a stated rule, and the training."""
