def kernel(seed):
    raise NotImplementedError
