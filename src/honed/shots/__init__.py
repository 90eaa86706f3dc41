"""Few-shot: answers by a decoder that is shown examples in its prompt, and learns nothing."""
