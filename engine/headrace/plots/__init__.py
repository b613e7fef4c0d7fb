"""Figures, one module each, named like the paper's; each says where its numbers come from."""
