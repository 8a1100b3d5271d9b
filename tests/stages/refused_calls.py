"""Calls of stages that tests of bad input make, and the exit statuses of the contract."""

BAD_INPUT, FAILURE, REFUSED = 2, 1, 3


def replace(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


def build(good, *more, data=None, model=None, operator="hessian"):
    files = ("--data", data or good.data, "--model", model or good.model)
    return ("build-operator", *files, "--operator", operator, *more)


def lanczos(operator, *flags):
    return ("lanczos", "--operator", operator, *flags)
