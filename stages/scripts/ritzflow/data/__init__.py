"""From a user's data set to data.h5."""
