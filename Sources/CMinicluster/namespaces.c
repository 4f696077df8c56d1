#include "CMinicluster.h"
