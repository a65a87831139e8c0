"""Operations by family, each with its derivatives in the line above; their public names are those of `autograd`."""

from . import (
    assembling,
    calculus,
    comparing,
    decompositions,
    elementwise,
    grids,
    indexing,
    joining,
    linalg,
    matrices,
    products,
    reducing,
    remainders,
    scanning,
    shaping,
    special,
    statistics,
    trigonometry,
)
from .assembling import *
from .calculus import *
from .comparing import *
from .decompositions import *
from .elementwise import *
from .grids import *
from .indexing import *
from .joining import *
from .linalg import *
from .matrices import *
from .products import *
from .reducing import *
from .remainders import *
from .scanning import *
from .shaping import *
from .special import *
from .statistics import *
from .trigonometry import *

__all__: list[str] = []
__all__ += assembling.__all__
__all__ += calculus.__all__
__all__ += comparing.__all__
__all__ += decompositions.__all__
__all__ += elementwise.__all__
__all__ += grids.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += linalg.__all__
__all__ += matrices.__all__
__all__ += products.__all__
__all__ += reducing.__all__
__all__ += remainders.__all__
__all__ += scanning.__all__
__all__ += shaping.__all__
__all__ += special.__all__
__all__ += statistics.__all__
__all__ += trigonometry.__all__
