// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Usage is what the eviction manager knows of a pod.
type Usage struct {
	ID string
	// Measured is false while none of the pod's containers has started: the
	// kubelet then has no statistics of it.
	Measured bool
	// DiskBytes counts what the signal in question charges the pod with: writable
	// layers, and with one disk for all also logs and local volumes. Never images.
	DiskBytes    int64
	RequestBytes int64
	Priority     int32
	Created      time.Time
}

// Rank sorts pods so that the first is evicted first (kubelet:
// rankDiskPressureFunc): pods without statistics, then pods that use more than
// they requested, then lower priority, then larger use above the request. The
// kubelet leaves ties to chance; here the older pod goes first.
func Rank(pods []Usage) {
	slices.SortFunc(pods, func(a, b Usage) int {
		if !a.Measured || !b.Measured {
			return cmp.Or(boolFirst(!a.Measured, !b.Measured), cmp.Compare(a.Priority, b.Priority), tie(a, b))
		}
		return cmp.Or(
			boolFirst(a.DiskBytes > a.RequestBytes, b.DiskBytes > b.RequestBytes),
			cmp.Compare(a.Priority, b.Priority),
			cmp.Compare(b.DiskBytes-b.RequestBytes, a.DiskBytes-a.RequestBytes),
			tie(a, b),
		)
	})
}

func tie(a, b Usage) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// pressureMessage is why a pod is rejected under DiskPressure (kubelet:
// managerImpl.Admit).
const pressureMessage = "The node had condition: [DiskPressure]. "

// evictionMessage is the status message and Event of an evicted pod (kubelet:
// evictionMessage).
func evictionMessage(t Threshold, o Observation, containers []containerUse) string {
	quantity := resource.NewQuantity(t.Line.Of(o.CapacityBytes), resource.BinarySI)
	available := resource.NewQuantity(o.AvailableBytes, resource.BinarySI)
	var b strings.Builder
	fmt.Fprintf(&b, "The node was low on resource: ephemeral-storage. Threshold quantity: %v, available: %v. ", quantity, available)
	for _, c := range containers {
		if c.diskBytes > c.requestBytes {
			fmt.Fprintf(&b, "Container %s was using %s, request is %s, has larger consumption of ephemeral-storage. ", c.name,
				resource.NewQuantity(c.diskBytes, resource.BinarySI), resource.NewQuantity(c.requestBytes, resource.BinarySI))
		}
	}
	return b.String()
}

// containerUse is a container's writable layer and log against its request.
type containerUse struct {
	name         string
	diskBytes    int64
	requestBytes int64
}
