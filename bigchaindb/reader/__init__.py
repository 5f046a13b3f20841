"""The process that reads what can take long: searches, and what follows the first piece of a list."""
