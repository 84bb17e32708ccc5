"""DAMM-Diffusion with parts left out, exchanged or added: the rows of tables, and one model that ships."""
