// Averages gradients over the micro-shards of a global batch, whichever ranks computed them.
#pragma once
