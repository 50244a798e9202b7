"""The built-in corpus: synthetic music, generated here."""
