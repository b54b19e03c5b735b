// The table of the audit's rules: names, severities, limits. Pure; any thread may call.
#pragma once

#include <vector>

#include "stages/audit/audit.h"

namespace penstock::stages {

const std::vector<AuditRule>& audit_rules();

}  // namespace penstock::stages
