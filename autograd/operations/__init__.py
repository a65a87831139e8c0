"""Operations by family, each with its derivatives in the line above; their public names are those of `autograd`."""

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
