"""The traced functions, their derivatives, and their comparison with eager autograd."""
