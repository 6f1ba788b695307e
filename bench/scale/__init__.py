"""How many jobs one operator carries, beside a tutorial's operator and the API server's own limit."""
