"""The language of OpenAI's clients: completions, chats, models."""
