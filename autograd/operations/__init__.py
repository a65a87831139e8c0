"""Operations by family, each with its derivatives in the line above; their public names are those of `autograd`."""

from autograd.operands import with_pytorch_names

from .calculus import *
from .comparing import *
from .elementwise import *
from .indexing import *
from .joining import *
from .linalg import *
from .products import *
from .reducing import *
from .shaping import *
from .special import *

__all__ = [
    "absolute", "acos", "acosh", "add", "all", "any", "append", "apply_along_axis", "argmax", "argmin", "argpartition",
    "argsort", "array_split", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "average", "betaln", "bitwise_and", "bitwise_or", "block", "broadcast_to", "cbrt", "ceil", "cholesky",
    "choose", "clip", "column_stack", "compress", "concatenate", "convolve", "copysign", "corrcoef", "correlate", "cos",
    "cosh", "cov", "cross", "cummax", "cummin", "cumprod", "cumsum", "deg2rad", "delete", "det", "diag", "diagonal",
    "diff", "digamma", "divide", "dot", "dsplit", "dstack", "ediff1d", "eigh", "eigvalsh", "einsum", "equal", "erf",
    "erfc", "erfinv", "exp", "exp2", "expand_dims", "expm", "expm1", "fftshift", "flatten", "flip", "fliplr", "flipud",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "full", "full_like", "gammaln", "getitem", "gradient", "greater",
    "greater_equal", "heaviside", "hsplit", "hstack", "hypot", "i0", "i0e", "i1", "i1e", "ifftshift", "index_add",
    "inner", "insert", "interp", "inv", "invert", "isfinite", "isinf", "isnan", "kron", "leaky_relu", "less",
    "less_equal", "linspace", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp",
    "logical_and", "logical_not", "logical_or", "logit", "logsumexp", "lstsq", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "moveaxis", "multi_dot",
    "multiply", "nan_to_num", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "negative",
    "norm", "not_equal", "outer", "pad", "partition", "percentile", "pinv", "polygamma", "polyval", "power", "prod",
    "ptp", "qr", "quantile", "rad2deg", "reciprocal", "relu", "repeat", "reshape", "roll", "rollaxis", "rot90", "round",
    "rsqrt", "scatter", "searchsorted", "select", "sigmoid", "sign", "sin", "sinc", "sinh", "slogdet", "softmax",
    "softplus", "solve", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "svd",
    "svdvals", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose",
    "trapezoid", "tril", "triu", "trunc", "unstack", "var", "vdot", "vecdot", "vsplit", "vstack", "where", "xlogy",
]  # fmt: skip

for _name in __all__:
    globals()[_name] = with_pytorch_names(globals()[_name])
