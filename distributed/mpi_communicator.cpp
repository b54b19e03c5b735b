#include "distributed/communicator.h"
