// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
)

// ChainIDs returns the names of the snapshots of an image's layers, from the bottom
// up, by its configuration. It fails if that has not as many layers.
func ChainIDs(config []byte, layers int) ([]string, error) {
	var c struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("the configuration is not valid JSON: %w", err)
	}
	if len(c.RootFS.DiffIDs) != layers {
		return nil, fmt.Errorf("the configuration is of %d layers, the manifest of %d", len(c.RootFS.DiffIDs), layers)
	}
	for i, id := range c.RootFS.DiffIDs {
		if err := id.Validate(); err != nil {
			return nil, fmt.Errorf("the configuration has no digest for layer %d: %w", i, err)
		}
	}
	chain := make([]string, 0, layers)
	for _, id := range identity.ChainIDs(c.RootFS.DiffIDs) {
		chain = append(chain, id.String())
	}
	return chain, nil
}
