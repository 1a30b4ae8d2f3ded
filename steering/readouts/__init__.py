"""Do the vectors say what their names say? Read-outs on texts that had no part in them."""
