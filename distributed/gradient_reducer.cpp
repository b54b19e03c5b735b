#include "distributed/gradient_reducer.h"
