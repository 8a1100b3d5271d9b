"""From a module to model.h5 and the packages of its derivative products."""
