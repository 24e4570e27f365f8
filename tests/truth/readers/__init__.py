"""One module per format; each says what must come out of a file."""
