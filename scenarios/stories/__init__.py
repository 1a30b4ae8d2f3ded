"""Story corpora: data files and the code that renders them."""
