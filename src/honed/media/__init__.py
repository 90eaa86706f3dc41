"""What can be said of inputs of one kind (texts, pictures, numbers) without knowing the task."""
