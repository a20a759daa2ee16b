"""How long a network takes on this machine."""
