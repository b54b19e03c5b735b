#include "stages/compute/bench.h"

#include "distributed/check.h"
#include "stages/compute/bench_reduce.h"
#include "stages/compute/bench_train.h"

namespace penstock::stages {

using distributed::Communicator;
using pipeline::Value;

Value bench(const BenchRequest& request, Communicator& ranks, int threads) {
  PENSTOCK_CHECK(request.what == "train" || request.what == "reduce",
                 "bench measures train or reduce, not " + request.what);
  Value result = request.what == "train" ? bench_train(request, ranks, threads) : bench_reduce(request, ranks);
  result["what"] = request.what;
  result["ranks"] = ranks.size();
  result["threads"] = threads;
  return result;
}

}  // namespace penstock::stages
