"""How good networks are: pictures, scores, intervals, a table and a gallery."""
