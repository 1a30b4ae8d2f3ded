"""People-pleasing: does the model agree where it should not, and is it harsh where it need not be?"""
