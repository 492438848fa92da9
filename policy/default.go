// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import _ "embed" // for the default policy

// DefaultYAML is the default policy as commented text, as the manifests ship it. Loading it gives Default.
//
//go:embed default.yaml
var DefaultYAML string
