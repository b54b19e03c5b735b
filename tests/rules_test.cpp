// Rules of the project, computed from its sources.
#include <gtest/gtest.h>
