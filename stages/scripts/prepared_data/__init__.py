"""From the arrays of a source to those of data.h5: understood, split, scaled, said in one line."""
