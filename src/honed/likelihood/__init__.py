"""What the likelihood of texts tells of a decoder: how well it knows them, what it has by heart, what it leans to."""
