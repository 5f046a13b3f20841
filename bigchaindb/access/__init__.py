"""Access: who a request proves to be, and what that one may do."""
